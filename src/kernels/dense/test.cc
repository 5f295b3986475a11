// Every kernel of the list against the written order of additions, bit for bit.
#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

#include "base/float16.h"
#include "kernels/dense/list.h"

namespace rsr::kernels {
namespace {

/// Every kernel of a list on random weights: the bits of the reference, near the exact sum.
template <int size>
void expect_same_bits(const Kernel<Dense16F32Function> (&list)[size], float (*widen)(uint16_t)) {
  std::mt19937 random(5);
  std::normal_distribution<float> normal;
  for (const int64_t cols : {1, 2, 15, 16, 17, 31, 33, 128, 200}) {
    for (const int64_t rows : {1, 3, 4, 5, 9}) {
      constexpr int64_t kBatch = 3;
      std::vector<uint16_t> w(rows * cols);
      std::vector<float> x(kBatch * cols);
      // Any bits but those of infinity and NaN, whose exponents are all ones in both formats.
      for (auto& v : w) {
        do v = static_cast<uint16_t>(random());
        while (!std::isfinite(widen(v)) || std::fabs(widen(v)) > 1e4f);
      }
      for (auto& v : x) v = normal(random);
      std::vector<float> reference;
      for (const auto& kernel : list) {
        if (!base::has_isa(kernel.isa)) continue;
        std::vector<float> y(kBatch * rows, -7);
        kernel.function({w.data(), cols, x.data(), kBatch, y.data(), rows}, 0, rows);
        if (reference.empty()) reference = y;
        EXPECT_EQ(y, reference) << kernel.name << " " << rows << " x " << cols;
      }
      for (int64_t t = 0; t < kBatch; ++t) {
        for (int64_t r = 0; r < rows; ++r) {
          double sum = 0;
          double magnitude = 0;
          for (int64_t c = 0; c < cols; ++c) {
            const double term = static_cast<double>(widen(w[r * cols + c])) * x[t * cols + c];
            sum += term;
            magnitude += std::fabs(term);
          }
          // cols / 16 additions in a lane, 4 in the tree, one rounding per product.
          const double bound = (static_cast<double>(cols) / 16 + 6) * 0x1p-24 * magnitude;
          EXPECT_NEAR(reference[t * rows + r], sum, bound);
        }
      }
    }
  }
}

TEST(Dense, Bf16AllInstructionSetsGiveTheBitsOfTheReference) {
  expect_same_bits(kDenseBf16F32, base::from_bf16);
}

TEST(Dense, F16AllInstructionSetsGiveTheBitsOfTheReference) {
  expect_same_bits(kDenseF16F32, base::from_f16);
}

TEST(Dense, OnlyTheGivenRowsAreWritten) {
  const std::vector<uint16_t> w(10 * 4, 0x3F80);  // ones
  const std::vector<float> x = {1, 2, 3, 4};
  for (const auto& kernel : kDenseBf16F32) {
    if (!base::has_isa(kernel.isa)) continue;
    std::vector<float> y(10, -7);
    kernel.function({w.data(), 4, x.data(), 1, y.data(), 10}, 2, 8);
    for (int r = 0; r < 10; ++r) EXPECT_EQ(y[r], r < 2 || r >= 8 ? -7 : 10) << kernel.name;
  }
}

}  // namespace
}  // namespace rsr::kernels
