// Every gemm_gray kernel against the exact product.
#include <gtest/gtest.h>

#include "kernels/gemm_gray/problem.h"
#include "kernels/matvec/expect.h"

namespace rsr::kernels {
namespace {

using matrix::Alphabet;
using matrix::Format;

std::vector<GemmGrayI8Kernel> kernels() {
  return kernels_here(kGemmGrayI8);
}

/// The index of a problem, as places or as machine code, and the kernel with what expect_exact()
/// and expect_scaled() know of it.
class Subject {
 public:
  Subject(const GemmGrayI8Kernel& kernel, const Problem& problem, bool compiled)
      : index_(problem, kernel.stride(), compiled), kernel_{problem.packed.format(),
                                                            kernel.isa,
                                                            kernel.name,
                                                            kernel.function,
                                                            kernel.token_tile,
                                                            gray_scratch_bytes(index_.groups())} {
    EXPECT_EQ(index_.compiled(), compiled);
  }
  const MatvecI8Kernel& kernel() const { return kernel_; }
  const GrayGroups* gray() const { return &index_.groups(); }

 private:
  GrayIndexOfProblem index_;
  MatvecI8Kernel kernel_;
};

void expect_product(const GemmGrayI8Kernel& kernel, Problem& problem) {
  for (const bool compiled : {false, true}) {
    SCOPED_TRACE(compiled ? "compiled" : "stream");
    const Subject subject(kernel, problem, compiled);
    expect_exact(subject.kernel(), problem, kernel.token_tile, subject.gray());
  }
}

TEST(GemmGrayI8, ShapesBatchesAndTails) {
  for (const auto& kernel : kernels()) {
    for (const auto alphabet : kGrayAlphabets) {
      for (const int64_t rows : {1, 3, 4, 6, 16, 75, 150}) {
        for (const int64_t cols : {1, 20, 33, 447, 448, 449, 1001}) {
          for (const int64_t batch : {1, 5, 16, 31, 32, 45}) {
            Problem problem({gray_format(alphabet), alphabet, rows, cols}, batch);
            expect_product(kernel, problem);
          }
        }
      }
    }
  }
}

TEST(GemmGrayI8, MoreRowsAndTokensThanABlock) {
  for (const auto& kernel : kernels()) {
    for (const auto alphabet : kGrayAlphabets) {
      Problem tall({gray_format(alphabet), alphabet, 5200, 70}, 3);
      expect_product(kernel, tall);
      Problem wide({gray_format(alphabet), alphabet, 40, 100}, 301);
      expect_product(kernel, wide);
    }
  }
}

TEST(GemmGrayI8, SharesOfZeros) {
  for (const auto& kernel : kernels()) {
    for (const int zeros : {0, 50, 70, 90, 99, 100}) {
      Problem problem({Format::t2, Alphabet::ternary, 100, 700, 0, zeros}, 40);
      expect_product(kernel, problem);
    }
  }
}

// The int16 sums come as near to their end as they can, from both sides: what a tile of columns
// reaches is computed beforehand, and a tile that reaches too far is done in halves.
TEST(GemmGrayI8, Extremes) {
  for (const auto& kernel : kernels()) {
    for (const auto alphabet : kGrayAlphabets) {
      for (const int value : {-1, 0, 1}) {
        if (value < 0 && alphabet == Alphabet::binary) continue;
        if (value == 0 && alphabet == Alphabet::signs) continue;
        for (const int x : {-128, -127, 127, 73, -74, 1}) {
          for (const int64_t cols : {255, 256, 257, 258, 448, 449, 33000}) {
            Problem problem({gray_format(alphabet), alphabet, 20, cols, 0, 0, value}, 3, x);
            expect_product(kernel, problem);
          }
        }
      }
    }
  }
}

// One token alone decides whether a tile is done in halves, wherever in the token tile it is; the
// token tiles beside it are not.
TEST(GemmGrayI8, OneLoudTokenAmongQuietOnes) {
  for (const auto& kernel : kernels()) {
    for (const auto alphabet : kGrayAlphabets) {
      for (const int64_t loud : {0, 7, 8, 15, 16, 31, 33, 70}) {
        Problem problem({gray_format(alphabet), alphabet, 20, 1000, 0, 0, 1}, 80, 1);
        for (int64_t c = 0; c < 1000; ++c) {
          problem.x[static_cast<size_t>(loud * 1000 + c)] = -128;
        }
        expect_product(kernel, problem);
      }
    }
  }
}

TEST(GemmGrayI8, ScalesOfTokensAndRows) {
  for (const auto& kernel : kernels()) {
    for (const auto alphabet : kGrayAlphabets) {
      Problem plain({gray_format(alphabet), alphabet, 90, 1333}, 35);
      for (const bool compiled : {false, true}) {
        const Subject subject(kernel, plain, compiled);
        expect_scaled(subject.kernel(), plain, kernel.token_tile, false, subject.gray());
      }
    }
  }
}

}  // namespace
}  // namespace rsr::kernels
