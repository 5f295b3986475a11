#include "model/ops.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

#include "kernels/attention/list.h"
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

TEST(Ops, SumOfSquaresOfEveryLength) {
  for (const size_t n : {0, 1, 2, 3, 15, 16, 17, 63, 500, 1023, 1024, 1025, 2048, 2560, 7001}) {
    const auto x = random_floats(n, 1);
    double expected = 0;
    for (const float v : x) expected += static_cast<double>(v) * v;
    EXPECT_NEAR(sum_of_squares(x.data(), static_cast<int64_t>(n)), expected, 1e-6 * expected) << n;
  }
}

TEST(Ops, SumOfSquaresHasItsDocumentedOrder) {
  for (const size_t count : {40, 1030, 5000}) {
    const auto x = random_floats(count, 3);
    std::vector<float> sums(kSquareSums);
    for (size_t i = 0; i < count; ++i) sums[i % kSquareSums] += x[i] * x[i];
    for (size_t width = kSquareSums / 2; width > 0; width /= 2) {
      for (size_t i = 0; i < width; ++i) sums[i] += sums[i + width];
    }
    EXPECT_EQ(sum_of_squares(x.data(), static_cast<int64_t>(count)), sums[0]);
  }
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

TEST(KvCache, HeadsAreSeparateZeroAndMovable) {
  ModelConfig config;
  config.num_layers = 3;
  config.num_kv_heads = 2;
  config.head_dim = 20;  // values are padded to 32
  EXPECT_EQ(KvCache::bytes_per_position(config, KvType::f32), 3 * 2 * (20 + 32) * 4);
  EXPECT_EQ(KvCache::bytes_per_position(config, KvType::f16), 3 * 2 * (20 + 32) * 2);
  EXPECT_EQ(KvCache::bytes_per_position(config, KvType::i8), 3 * 2 * (20 + 32 + 8));
  for (const KvType type : {KvType::f32, KvType::f16, KvType::i8}) {
    KvCache cache = KvCache::create(config, 37, type).value();
    EXPECT_EQ(cache.positions(), 37);
    EXPECT_EQ(cache.value_stride(), 32);
    // Each head's last position is written; all others stay zero.
    const std::vector<float> ones(20, 1.0f);
    const auto* append = &kernels::kKvAppend[static_cast<size_t>(type)];
    ASSERT_EQ(append->type, type);
    for (int64_t head = 0; head < 6; ++head) {
      kernels::KvAppend slot = cache.slot(head / 2, head % 2, 36);
      slot.key = slot.value = ones.data();
      append->function(slot);
    }
    const KvCache moved = std::move(cache);
    for (int64_t head = 0; head < 6; ++head) {
      const kernels::KvChunk all = moved.chunk(head / 2, head % 2, 0, 37);
      const auto* bytes = static_cast<const char*>(all.values);
      const int64_t row = 32 * (type == KvType::f32 ? 4 : type == KvType::f16 ? 2 : 1);
      EXPECT_TRUE(std::all_of(bytes, bytes + 36 * row, [](char c) { return c == 0; }));
      EXPECT_TRUE(std::any_of(bytes + 36 * row, bytes + 37 * row, [](char c) { return c != 0; }));
    }
  }
}

TEST(KvCache, RefusesWhatNoMachineHas) {
  ModelConfig config;
  config.num_layers = 1024;
  config.num_kv_heads = 1024;
  config.head_dim = 512;
  const Status status = KvCache::create(config, int64_t{1} << 24, KvType::f32).status();
  EXPECT_EQ(status.code(), ErrorCode::limit_exceeded);
  EXPECT_NE(status.message().find("16777216 tokens: 72057594037927936 bytes"), std::string::npos)
      << status.message();
}

}  // namespace
}  // namespace rsr::model
