// Every int8 kernel of the list against the exact product: shapes, batches, scales, extremes.
#include <gtest/gtest.h>

#include "kernels/matvec/expect.h"

namespace rsr::kernels {

// avxvnni.cc once more, in the encoding of AVX-512 VL (see there).
MatvecI8Function matvec_t2_i8_avxvnni_twin;
MatvecI8Function matvec_b1_i8_avxvnni_twin;

namespace {

using matrix::Format;

std::vector<MatvecI8Kernel> kernels() {
  std::vector<MatvecI8Kernel> all(std::begin(kMatvecI8), std::end(kMatvecI8));
  all.push_back({Format::t2, base::Isa::avx512vnni, "matvec_t2_i8_avxvnni (EVEX)",
                 matvec_t2_i8_avxvnni_twin, 1});
  all.push_back({Format::b1, base::Isa::avx512vnni, "matvec_b1_i8_avxvnni (EVEX)",
                 matvec_b1_i8_avxvnni_twin, 1});
  std::erase_if(all, [](const auto& kernel) { return !base::has_isa(kernel.isa); });
  return all;
}

TEST(MatvecI8, RandomShapes) {
  for (const auto& kernel : kernels()) {
    for (const auto alphabet : alphabets_of(kernel.format)) {
      for (const int64_t rows : {1, 16, 70, 150}) {
        for (const int64_t cols : {1, 19, 20, 33, 61, 80, 130, 500}) {
          Problem problem({kernel.format, alphabet, rows, cols}, 1);
          expect_exact(kernel, problem, 1);
        }
      }
    }
  }
}

TEST(MatvecI8, EveryTokenTileAndItsTail) {
  for (const auto& kernel : kernels()) {
    for (int tile = 1; tile <= kernel.token_tile; ++tile) {
      for (const int64_t batch : {int64_t{tile}, int64_t{2 * tile + 1}}) {
        Problem problem({kernel.format, alphabets_of(kernel.format).back(), 100, 205}, batch);
        expect_exact(kernel, problem, tile);
      }
    }
  }
}

TEST(MatvecI8, ManyZeros) {
  for (const auto& kernel : kernels()) {
    if (!matrix::is_ternary(kernel.format)) continue;
    for (const int zeros : {50, 90, 100}) {
      Problem problem({kernel.format, matrix::Alphabet::ternary, 90, 300, 0, zeros}, 3);
      expect_exact(kernel, problem, std::min(2, kernel.token_tile));
    }
  }
}

TEST(MatvecI8, ExtremesOfTheAccumulators) {
  for (const auto& kernel : kernels()) {
    for (const auto alphabet : alphabets_of(kernel.format)) {
      for (const int value : {-1, 0, 1}) {
        if (value < 0 && alphabet == matrix::Alphabet::binary) continue;
        if (value == 0 && alphabet == matrix::Alphabet::signs) continue;
        for (const int x : {-128, 127}) {
          Problem problem({kernel.format, alphabet, 20, 1300, 0, 0, value}, 2, x);
          expect_exact(kernel, problem, std::min(2, kernel.token_tile));
        }
      }
    }
  }
}

// More lines than an accumulator may take before it is emptied, with the worst input.
TEST(MatvecI8, MoreLinesThanAnAccumulatorHolds) {
  for (const auto& kernel : kernels()) {
    const int64_t cols = (2 * kMaxLines + 3) * matrix::line_cols(kernel.format);
    for (const int x : {-128, 127}) {
      Problem problem({kernel.format, alphabets_of(kernel.format).back(), 2, cols, 0, 0, 1}, 1, x);
      expect_exact(kernel, problem, 1);
    }
  }
}

TEST(MatvecI8, ScalesOfTokensRowsAndGroups) {
  for (const auto& kernel : kernels()) {
    for (const auto alphabet : alphabets_of(kernel.format)) {
      const int tile = std::min(3, kernel.token_tile);
      Problem plain({kernel.format, alphabet, 90, 333}, 4);
      expect_scaled(kernel, plain, tile, false);
      if (kernel.format == Format::t5) continue;
      for (const int64_t group : {64, 128, 50}) {
        Problem grouped({kernel.format, alphabet, 90, 333, group}, 4);
        expect_scaled(kernel, grouped, tile, true);
      }
    }
  }
}

TEST(MatvecI8, EveryFormatHasAReferenceThatComesFirst) {
  for (const Format format : {Format::t5, Format::t2, Format::b1}) {
    const auto* first = std::find_if(std::begin(kMatvecI8), std::end(kMatvecI8),
                                     [&](const auto& k) { return k.format == format; });
    ASSERT_NE(first, std::end(kMatvecI8));
    EXPECT_EQ(first->isa, base::Isa::reference);
  }
}

}  // namespace
}  // namespace rsr::kernels
