// Every gemm_tables kernel against the exact product.
#include <gtest/gtest.h>

#include "kernels/gemm_tables/list.h"
#include "kernels/matvec/expect.h"

namespace rsr::kernels {
namespace {

std::vector<MatvecI8Kernel> kernels() {
  std::vector<MatvecI8Kernel> all(std::begin(kGemmTablesI8), std::end(kGemmTablesI8));
  std::erase_if(all, [](const auto& kernel) { return !base::has_isa(kernel.isa); });
  return all;
}

TEST(GemmTablesI8, ShapesBatchesAndTails) {
  for (const auto& kernel : kernels()) {
    for (const auto alphabet : alphabets_of(kernel.format)) {
      for (const int64_t rows : {1, 16, 75, 150}) {
        for (const int64_t cols : {1, 20, 33, 64, 95, 96, 97, 513}) {
          for (const int64_t batch : {1, 5, 16, 31, 32, 45}) {
            Problem problem({kernel.format, alphabet, rows, cols}, batch);
            expect_exact(kernel, problem, kernel.token_tile);
          }
        }
      }
    }
  }
}

TEST(GemmTablesI8, MoreRowsAndTokensThanABlock) {
  for (const auto& kernel : kernels()) {
    Problem tall({kernel.format, alphabets_of(kernel.format).back(), 2600, 70}, 3);
    expect_exact(kernel, tall, kernel.token_tile);
    Problem wide({kernel.format, alphabets_of(kernel.format).back(), 40, 100}, 301);
    expect_exact(kernel, wide, kernel.token_tile);
  }
}

TEST(GemmTablesI8, SharesOfZeros) {
  for (const auto& kernel : kernels()) {
    for (const int zeros : {0, 50, 70, 90, 100}) {
      Problem problem({kernel.format, alphabets_of(kernel.format).front(), 100, 700, 0, zeros}, 40);
      expect_exact(kernel, problem, kernel.token_tile);
    }
  }
}

// The int16 sums come as near to their end as they can, from both sides, and are emptied in time.
TEST(GemmTablesI8, Extremes) {
  for (const auto& kernel : kernels()) {
    for (const auto alphabet : alphabets_of(kernel.format)) {
      for (const int value : {-1, 0, 1}) {
        if (value < 0 && alphabet == matrix::Alphabet::binary) continue;
        if (value == 0 && alphabet == matrix::Alphabet::signs) continue;
        for (const int x : {-128, -127, 127, 1}) {
          for (const int64_t cols : {255, 256, 257, 258, 33000}) {
            Problem problem({kernel.format, alphabet, 20, cols, 0, 0, value}, 3, x);
            expect_exact(kernel, problem, kernel.token_tile);
          }
        }
      }
    }
  }
}

// One token alone decides when the sums of its tile are emptied, wherever in the tile it is.
TEST(GemmTablesI8, OneLoudTokenAmongQuietOnes) {
  for (const auto& kernel : kernels()) {
    for (const int64_t loud : {0, 7, 8, 15, 16, 31, 33}) {
      const auto alphabet = alphabets_of(kernel.format).front();
      Problem problem({kernel.format, alphabet, 20, 1000, 0, 0, 1}, 40, 1);
      for (int64_t c = 0; c < 1000; ++c) {
        problem.x[static_cast<size_t>(loud * 1000 + c)] = -128;
      }
      expect_exact(kernel, problem, kernel.token_tile);
    }
  }
}

TEST(GemmTablesI8, ScalesOfTokensAndRows) {
  for (const auto& kernel : kernels()) {
    for (const auto alphabet : alphabets_of(kernel.format)) {
      Problem plain({kernel.format, alphabet, 90, 1333}, 35);
      expect_scaled(kernel, plain, kernel.token_tile, false);
    }
  }
}

}  // namespace
}  // namespace rsr::kernels
