// Every gemm_gray kernel for floats: exact where all sums are, within the derived bound elsewhere.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/aligned.h"
#include "kernels/gemm_gray/problem.h"
#include "kernels/matvec/expect.h"

namespace rsr::kernels {
namespace {

using matrix::Alphabet;
using matrix::Format;

std::vector<GemmGrayF32Kernel> kernels() {
  return kernels_here(kGemmGrayF32);
}

/// The kernel's product in two ranges of rows, the second beginning where no block does.
std::vector<float> multiply(const GemmGrayF32Kernel& kernel, const Problem& problem,
                            const GrayGroups& groups, const std::vector<float>& row_scales) {
  base::AlignedArray<uint8_t> scratch(static_cast<size_t>(gray_scratch_bytes(groups)));
  std::vector<float> y(static_cast<size_t>(problem.batch() * problem.packed.rows()), -1);
  GemmGrayF32 p;
  p.gray = &groups;
  p.x = problem.xf.data();
  p.x_stride = problem.packed.cols();
  p.signs = problem.packed.alphabet() == Alphabet::signs;
  p.batch = problem.batch();
  p.out.rows = p.out.stride = problem.packed.rows();
  p.out.y = y.data();
  p.out.row_scales = row_scales.empty() ? nullptr : row_scales.data();
  p.scratch = scratch.data();
  const int64_t tiles = problem.packed.tiles();
  kernel.function(p, 0, tiles / 2);
  kernel.function(p, tiles / 2, tiles);
  return y;
}

/// |error| <= roundings * 2^-24 * sum of |x|; 0: none.
void expect_near(const Problem& problem, const std::vector<float>& y,
                 const std::vector<float>& row_scales, double roundings) {
  const int64_t rows = problem.packed.rows();
  const int64_t cols = problem.packed.cols();
  for (int64_t t = 0; t < problem.batch(); ++t) {
    const float* x = problem.xf.data() + t * cols;
    double magnitude = 0;
    for (int64_t c = 0; c < cols; ++c) magnitude += std::fabs(x[c]);
    for (int64_t r = 0; r < rows; ++r) {
      double sum = 0;
      for (int64_t c = 0; c < cols; ++c) {
        sum += double{x[c]} * problem.w[static_cast<size_t>(r * cols + c)];
      }
      const double scale = row_scales.empty() ? 1.0 : row_scales[static_cast<size_t>(r)];
      ASSERT_NEAR(y[static_cast<size_t>(t * rows + r)], scale * sum,
                  std::fabs(scale) * roundings * 0x1p-24 * magnitude)
          << rows << " x " << cols << " row " << r << " token " << t << " of " << problem.batch();
    }
  }
}

/// docs/algorithm.md has the number: additions of a tile, and of a row's boundaries in a run.
double most_roundings(Alphabet alphabet) {
  return alphabet == Alphabet::signs ? 3112 : 1556;
}

/// What random inputs stay below: 1e-6 of the sum of |x|. Equal ones reach 1.3e-6.
constexpr double kUsualRoundings = 1e-6 * 0x1p24;

void expect_product(const GemmGrayF32Kernel& kernel, const Problem& problem, double roundings,
                    const std::vector<float>& row_scales = {}) {
  for (const bool compiled : {false, true}) {
    SCOPED_TRACE(std::string(kernel.name) + (compiled ? ", compiled" : ", stream"));
    const GrayIndexOfProblem index(problem, kernel.stride(), compiled, segment::Lanes::float32);
    ASSERT_EQ(index.compiled(), compiled);
    expect_near(problem, multiply(kernel, problem, index.groups(), row_scales), row_scales,
                roundings);
  }
}

/// Inputs whose sums are all exact.
void make_integers(Problem& problem) {
  for (float& x : problem.xf) x = std::nearbyint(std::fmod(1000 * x, 100.0f));
}

TEST(GemmGrayF32, ExactIntegersOfAllShapesBatchesAndTails) {
  for (const auto& kernel : kernels()) {
    for (const auto alphabet : kGrayAlphabets) {
      for (const int64_t rows : {1, 3, 6, 16, 75, 150}) {
        for (const int64_t cols : {1, 20, 33, 447, 449, 1001}) {
          for (const int64_t batch : {1, 7, 8, 16, 45}) {
            Problem problem({gray_format(alphabet), alphabet, rows, cols}, batch);
            make_integers(problem);
            expect_product(kernel, problem, 0);
          }
        }
      }
    }
  }
}

TEST(GemmGrayF32, MoreRowsAndTokensThanABlock) {
  for (const auto& kernel : kernels()) {
    for (const auto alphabet : kGrayAlphabets) {
      Problem tall({gray_format(alphabet), alphabet, 5200, 70}, 3);
      make_integers(tall);
      expect_product(kernel, tall, 0);
      Problem wide({gray_format(alphabet), alphabet, 40, 100}, 150);
      make_integers(wide);
      expect_product(kernel, wide, 0);
    }
  }
}

TEST(GemmGrayF32, SharesOfZeros) {
  for (const auto& kernel : kernels()) {
    for (const int zeros : {0, 50, 90, 100}) {
      Problem problem({Format::t2, Alphabet::ternary, 100, 700, 0, zeros}, 20);
      make_integers(problem);
      expect_product(kernel, problem, 0);
    }
  }
}

TEST(GemmGrayF32, WithinItsBound) {
  for (const auto& kernel : kernels()) {
    for (const auto alphabet : kGrayAlphabets) {
      for (const int64_t cols : {300, 4000}) {
        Problem problem({gray_format(alphabet), alphabet, 50, cols}, 20);
        expect_product(kernel, problem, kUsualRoundings);
        // All alike, so that each rounding may err the same way.
        std::fill(problem.xf.begin(), problem.xf.end(), 0.1f);
        expect_product(kernel, problem, 3 * kUsualRoundings);
        // Huge ones among small ones: a running sum carries them to every row.
        for (size_t i = 0; i < problem.xf.size(); ++i) {
          problem.xf[i] = std::ldexp(1.1f, static_cast<int>(i * 7 % 40));
        }
        expect_product(kernel, problem, most_roundings(alphabet));
      }
    }
  }
}

TEST(GemmGrayF32, ScalesOfRows) {
  for (const auto& kernel : kernels()) {
    for (const auto alphabet : kGrayAlphabets) {
      Problem problem({gray_format(alphabet), alphabet, 70, 333}, 19);
      std::vector<float> scales(70);
      std::generate(scales.begin(), scales.end(),
                    [scale = 1.7f]() mutable { return scale -= 0.01f; });
      expect_product(kernel, problem, most_roundings(alphabet), scales);
    }
  }
}

}  // namespace
}  // namespace rsr::kernels
