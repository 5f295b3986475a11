// Every kernel of the list against the written rule, bit for bit.
#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

#include "kernels/quantize/list.h"

namespace rsr::kernels {
namespace {

struct Quantized {
  std::vector<int8_t> q;
  std::vector<int32_t> sums;
  std::vector<float> inverse_scales;
  bool operator==(const Quantized&) const = default;
};

Quantized run(const Kernel<QuantizeI8Function>& kernel, const std::vector<float>& x, int64_t cols) {
  const auto tokens = static_cast<int64_t>(x.size()) / cols;
  const int64_t stride = (cols + 63) / 64 * 64;
  Quantized out{std::vector<int8_t>(tokens * stride, 77), std::vector<int32_t>(tokens),
                std::vector<float>(tokens)};
  const QuantizeI8 p{
      x.data(), cols, out.q.data(), stride, out.sums.data(), out.inverse_scales.data()};
  kernel.function(p, 0, tokens);
  return out;
}

TEST(QuantizeI8, TiesGoToEvenInEveryLaneAndTail) {
  // A scale of exactly 1, and ties at every place of vectors and tails.
  const float ties[] = {0.5f, 1.5f, 2.5f, -0.5f, -1.5f, -2.5f, 125.5f, -126.5f};
  const int expected[] = {0, 2, 2, 0, -2, -2, 126, -126};
  for (int64_t cols = 1; cols <= 70; ++cols) {
    std::vector<float> x(cols);
    for (int64_t c = 0; c < cols; ++c) x[c] = ties[c % 8];
    x[0] = 127;
    for (const auto& kernel : kQuantizeI8) {
      if (!base::has_isa(kernel.isa)) continue;
      const Quantized out = run(kernel, x, cols);
      EXPECT_EQ(out.q[0], 127);
      int32_t sum = 127;
      for (int64_t c = 1; c < cols; ++c) {
        EXPECT_EQ(out.q[c], expected[c % 8]) << kernel.name << " column " << c << " of " << cols;
        sum += expected[c % 8];
      }
      EXPECT_EQ(out.sums[0], sum) << kernel.name;
      EXPECT_EQ(out.inverse_scales[0], 1.0f) << kernel.name;
      for (size_t c = cols; c < out.q.size(); ++c) EXPECT_EQ(out.q[c], 0) << kernel.name;
    }
  }
}

TEST(QuantizeI8, AllInstructionSetsGiveTheSameBits) {
  std::mt19937 random(11);
  std::normal_distribution<float> normal;
  for (const int64_t cols : {1, 7, 8, 15, 16, 17, 63, 64, 65, 300}) {
    std::vector<float> x(5 * cols);
    for (size_t i = 0; i < x.size(); ++i) {
      x[i] = normal(random) * std::pow(10.0f, static_cast<float>(i % 9) - 4.0f);
    }
    const Quantized reference = run(kQuantizeI8[0], x, cols);
    for (const auto& kernel : kQuantizeI8) {
      if (!base::has_isa(kernel.isa)) continue;
      EXPECT_EQ(run(kernel, x, cols), reference) << kernel.name << ", " << cols << " columns";
    }
  }
}

TEST(QuantizeI8, ZeroAndTinyTokensStayZero) {
  for (const auto& kernel : kQuantizeI8) {
    if (!base::has_isa(kernel.isa)) continue;
    const Quantized zero = run(kernel, std::vector<float>(20, 0.0f), 20);
    EXPECT_EQ(zero.q[3], 0);
    EXPECT_EQ(zero.inverse_scales[0], kQuantizeFloor / 127.0f);
    EXPECT_EQ(run(kernel, std::vector<float>(20, 1e-8f), 20).q[3], 0) << kernel.name;
    EXPECT_EQ(run(kernel, std::vector<float>(20, 3e38f), 20).q[3], 127) << kernel.name;
  }
}

}  // namespace
}  // namespace rsr::kernels
