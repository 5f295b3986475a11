#include "model/ops.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

#include "model/kv_cache.h"

namespace rsr::model {
namespace {

std::vector<float> random_floats(size_t count, uint32_t seed) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<float> uniform(-1.0f, 1.0f);
  std::vector<float> values(count);
  for (float& value : values) value = uniform(random);
  return values;
}

TEST(Ops, DotOfEveryLength) {
  for (size_t n = 0; n < 70; ++n) {
    const auto a = random_floats(n, 1);
    const auto b = random_floats(n, 2);
    double expected = 0;
    for (size_t i = 0; i < n; ++i) expected += static_cast<double>(a[i]) * b[i];
    EXPECT_NEAR(dot(a.data(), b.data(), static_cast<int64_t>(n)), expected, 1e-5) << n;
  }
}

TEST(Ops, DotHasItsDocumentedOrder) {
  constexpr int kCount = 40;
  const auto a = random_floats(kCount, 3);
  const auto b = random_floats(kCount, 4);
  float lanes[16] = {};
  for (size_t i = 0; i < kCount; ++i) lanes[i % 16] += a[i] * b[i];
  for (size_t width = 8; width > 0; width /= 2) {
    for (size_t i = 0; i < width; ++i) lanes[i] += lanes[i + width];
  }
  EXPECT_EQ(dot(a.data(), b.data(), kCount), lanes[0]);
}

TEST(Ops, RmsNorm) {
  const std::vector<float> x = {3, -4};
  std::vector<float> y(2);
  rms_norm(x.data(), std::vector<float>{1, 2}, 0.0f, y.data());
  EXPECT_FLOAT_EQ(y[0], 3 / std::sqrt(12.5f));
  EXPECT_FLOAT_EQ(y[1], -8 / std::sqrt(12.5f));
  std::vector<float> zero(2);
  rms_norm(zero.data(), std::vector<float>{1, 1}, 1e-5f, zero.data());
  EXPECT_EQ(zero, std::vector<float>(2));
}

TEST(Ops, Relu2Gate) {
  const std::vector<float> gate = {-2, 0, 3, NAN};
  std::vector<float> up = {5, 5, -5, 1};
  relu2_gate(gate.data(), up.data(), 4, up.data());
  EXPECT_EQ(up[0], 0);
  EXPECT_EQ(up[1], 0);
  EXPECT_EQ(up[2], -45);
  EXPECT_TRUE(std::isnan(up[3]));
}

TEST(Ops, SiluGate) {
  const std::vector<float> gate = {-200, 0, 1, -1, NAN};
  std::vector<float> up = {5, 5, 2, 2, 1};
  silu_gate(gate.data(), up.data(), 5, up.data());
  EXPECT_EQ(up[0], 0);  // exp(200) is infinite
  EXPECT_EQ(up[1], 0);
  EXPECT_FLOAT_EQ(up[2], 2 / (1 + std::exp(-1.0f)));
  EXPECT_FLOAT_EQ(up[3], -2 / (1 + std::exp(1.0f)));
  EXPECT_TRUE(std::isnan(up[4]));
}

std::vector<double> attend_in_double(const float* query, const HeadCache& cache) {
  std::vector<double> weights;
  double total = 0;
  for (int64_t p = 0; p < cache.positions; ++p) {
    double score = 0;
    for (int64_t i = 0; i < cache.head_dim; ++i) {
      score += static_cast<double>(query[i]) * cache.keys[p * cache.stride + i];
    }
    weights.push_back(std::exp(score / std::sqrt(static_cast<double>(cache.head_dim))));
    total += weights.back();
  }
  std::vector<double> out(static_cast<size_t>(cache.head_dim));
  for (int64_t p = 0; p < cache.positions; ++p) {
    for (size_t i = 0; i < out.size(); ++i) {
      out[i] += weights[static_cast<size_t>(p)] / total *
                cache.values[p * cache.stride + static_cast<int64_t>(i)];
    }
  }
  return out;
}

TEST(Ops, AttentionOverOneAndManyBlocks) {
  constexpr int64_t kDim = 24;
  constexpr int64_t kStride = 50;
  auto keys = random_floats(200 * kStride, 5);
  const auto values = random_floats(200 * kStride, 6);
  auto query = random_floats(kDim, 7);
  for (float& value : query) value *= 20;  // scores far apart, so that the maximum moves
  for (const int64_t positions : {1, 2, 63, 64, 65, 128, 200}) {
    const HeadCache cache = {keys.data(), values.data(), kStride, positions, kDim};
    const auto expected = attend_in_double(query.data(), cache);
    std::vector<float> out(kDim);
    attend(query.data(), cache, out.data());
    for (size_t i = 0; i < out.size(); ++i) EXPECT_NEAR(out[i], expected[i], 2e-5) << positions;
  }
}

TEST(KvCache, IsZeroSeparateAndMovable) {
  ModelConfig config;
  config.num_layers = 3;
  config.num_kv_heads = 2;
  config.head_dim = 4;
  KvCache cache = KvCache::create(config, 10).value();
  EXPECT_EQ(KvCache::bytes_per_position(config), 2 * 3 * 8 * 4);
  EXPECT_EQ(cache.positions(), 10);
  EXPECT_EQ(cache.keys(1) - cache.keys(0), 80);
  EXPECT_EQ(cache.values(0) - cache.keys(2), 80);
  EXPECT_EQ(cache.values(2)[79], 0.0f);
  cache.values(2)[79] = 1.0f;
  const KvCache moved = std::move(cache);
  EXPECT_EQ(moved.positions(), 10);
}

TEST(KvCache, RefusesWhatNoMachineHas) {
  ModelConfig config;
  config.num_layers = 1024;
  config.num_kv_heads = 1024;
  config.head_dim = 1024;
  const Status status = KvCache::create(config, int64_t{1} << 24).status();
  EXPECT_EQ(status.code(), ErrorCode::limit_exceeded);
  EXPECT_NE(status.message().find("16777216 tokens: 144115188075855872 bytes"), std::string::npos)
      << status.message();
}

}  // namespace
}  // namespace rsr::model
