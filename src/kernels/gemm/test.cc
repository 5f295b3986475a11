// Every gemm kernel against the exact product.
#include <gtest/gtest.h>

#include "kernels/gemm/list.h"
#include "kernels/matvec/expect.h"

namespace rsr::kernels {

// avxvnni.cc once more, in the encoding of AVX-512 VL (see there).
MatvecI8Function gemm_t2_i8_avxvnni_twin;
MatvecI8Function gemm_b1_i8_avxvnni_twin;

namespace {

std::vector<MatvecI8Kernel> kernels() {
  std::vector<MatvecI8Kernel> all(std::begin(kGemmI8), std::end(kGemmI8));
  all.push_back({matrix::Format::t2, base::Isa::avx512vnni, "gemm_t2_i8_avxvnni (EVEX)",
                 gemm_t2_i8_avxvnni_twin, 6});
  all.push_back({matrix::Format::b1, base::Isa::avx512vnni, "gemm_b1_i8_avxvnni (EVEX)",
                 gemm_b1_i8_avxvnni_twin, 6});
  std::erase_if(all, [](const auto& kernel) { return !base::has_isa(kernel.isa); });
  return all;
}

TEST(GemmI8, ShapesBatchesAndTails) {
  for (const auto& kernel : kernels()) {
    for (const auto alphabet : alphabets_of(kernel.format)) {
      for (const int64_t rows : {1, 64, 75, 150}) {
        for (const int64_t cols : {1, 20, 33, 480, 512, 513, 1100}) {
          for (const int64_t batch : {1, 5, 6, 13, 32}) {
            Problem problem({kernel.format, alphabet, rows, cols}, batch);
            expect_exact(kernel, problem, kernel.token_tile);
          }
        }
      }
    }
  }
}

TEST(GemmI8, MoreTokensThanABlock) {
  for (const auto& kernel : kernels()) {
    Problem problem({kernel.format, alphabets_of(kernel.format).back(), 70, 100}, 401);
    expect_exact(kernel, problem, kernel.token_tile);
  }
}

TEST(GemmI8, Extremes) {
  for (const auto& kernel : kernels()) {
    for (const int value : {0, 1}) {
      for (const int x : {-128, 127}) {
        const auto alphabet = alphabets_of(kernel.format).front();
        Problem problem({kernel.format, alphabet, 20, 70001, 0, 0, value}, 7, x);
        expect_exact(kernel, problem, kernel.token_tile);
      }
    }
  }
}

TEST(GemmI8, ScalesOfTokensRowsAndGroups) {
  for (const auto& kernel : kernels()) {
    for (const auto alphabet : alphabets_of(kernel.format)) {
      Problem plain({kernel.format, alphabet, 90, 1333}, 8);
      expect_scaled(kernel, plain, kernel.token_tile, false);
      if (kernel.format == matrix::Format::t5) continue;
      for (const int64_t group : {64, 128, 50}) {
        Problem grouped({kernel.format, alphabet, 90, 1333, group}, 8);
        expect_scaled(kernel, grouped, kernel.token_tile, true);
      }
    }
  }
}

}  // namespace
}  // namespace rsr::kernels
