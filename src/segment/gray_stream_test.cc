#include "segment/gray_stream.h"

#include <gtest/gtest.h>

#include <vector>

#include "segment/column_groups.h"
#include "segment/gray_code.h"
#include "segment/oracle.h"
#include "segment/test_matrices.h"

namespace rsr::segment {
namespace {

GrayShape shape_of(const TestMatrix& m, int k, int64_t tile_cols, int stride = 64) {
  GrayShape shape;
  shape.rows = m.rows;
  shape.cols = m.cols;
  shape.tile_cols = tile_cols;
  shape.k = k;
  shape.alphabet = m.alphabet;
  shape.stride = stride;
  return shape;
}

/// Digit of a row in the pattern of a rank, by asking all patterns for their ranks.
int digit_of_rank(const Grid& grid, uint32_t rank, int row) {
  for (uint32_t plus = 0; plus < 1u << grid.k; ++plus) {
    for (uint32_t minus = 0; minus < 1u << grid.k; ++minus) {
      if ((plus & minus) != 0 || (grid.alphabet == Alphabet::binary && minus != 0)) continue;
      if (gray_rank(plus | minus << 16, grid.k, grid.alphabet) != rank) continue;
      return static_cast<int>(plus >> row & 1) - static_cast<int>(minus >> row & 1);
    }
  }
  ADD_FAILURE() << "no pattern of rank " << rank;
  return 0;
}

/// The product by the index as its header describes it, without running sums.
std::vector<int64_t> multiply(const GrayStream& g, const std::vector<int8_t>& x) {
  std::vector<int64_t> y(static_cast<size_t>(g.rows));
  for (int64_t tile = 0; tile < g.tile_count(); ++tile) {
    for (int64_t block = 0; block < g.block_count(); ++block) {
      const int64_t cell = g.cell(block, tile);
      int64_t at = g.cell_places[static_cast<size_t>(cell)];
      const int64_t first = at;
      for (int64_t rank = 0; rank < g.patterns(); ++rank) {
        const int64_t end = first + 2 * (g.ends.data()[cell * g.patterns() + rank] / g.stride);
        for (; at < end; ++at) {
          const int64_t column = g.places.data()[at] / g.stride;
          if (column == g.tile_cols) continue;
          for (int r = 0; r < g.block_rows(block); ++r) {
            y[static_cast<size_t>(block * g.k + r)] +=
                digit_of_rank(g, static_cast<uint32_t>(rank), r) *
                x[static_cast<size_t>(tile * g.tile_cols + column)];
          }
        }
      }
    }
  }
  return y;
}

TEST(GrayStream, HoldsTheMatrix) {
  for (const Alphabet alphabet : kAlphabets) {
    for (const int k : {1, 3, alphabet == Alphabet::binary ? 6 : 4}) {
      for (const int64_t cols : {1, 7, 40, 41, 93}) {
        for (const double zeros : {0.0, 0.4, 1.0}) {
          for (const bool borrow : {true, false}) {
            const TestMatrix m = random_matrix(11, cols, alphabet, zeros, 3);
            GrayShape shape = shape_of(m, k, 40);
            shape.borrow = borrow;
            const GrayStream g = build_gray(shape, m.source());
            const std::vector<int8_t> x = random_int8(cols, 5);
            EXPECT_EQ(multiply(g, x), dense_product(m.w, x)) << to_string(alphabet) << k << cols;
            for (const int64_t begin : g.cell_places) EXPECT_EQ(begin % kPlacesAtOnce, 0);
            EXPECT_EQ(g.cell_places.back(), static_cast<int64_t>(g.places.size()));
          }
        }
      }
    }
  }
}

TEST(GrayStream, BorrowingSavesPlaces) {
  for (const Alphabet alphabet : kAlphabets) {
    const TestMatrix m = random_matrix(120, 896, alphabet, 0.33, 9);
    GrayShape shape = shape_of(m, alphabet == Alphabet::binary ? 6 : 4, 448);
    const GrayStream g = build_gray(shape, m.source());
    shape.borrow = false;
    const GrayStream plain = build_gray(shape, m.source());
    EXPECT_LT(g.places.size(), 0.98 * static_cast<double>(plain.places.size()));
    EXPECT_EQ(g.additions, plain.additions);
  }
}

TEST(GrayStream, AdditionsAreAsExpected) {
  for (const Alphabet alphabet : kAlphabets) {
    for (const double zeros : {0.33, 0.7, 0.9}) {
      const TestMatrix m = random_matrix(240, 896, alphabet, zeros, 9);
      const int k = alphabet == Alphabet::binary ? 6 : 4;
      const GrayStream g = build_gray(shape_of(m, k, 448), m.source());
      EXPECT_NEAR(static_cast<double>(g.additions) / expected_gray_additions(g, zeros), 1, 0.02);
    }
  }
}

// Values that no alphabet has (a damaged file that nobody checked) must not lead outside.
TEST(GrayStream, StrangeValuesDoNoHarm) {
  for (const Alphabet alphabet : kAlphabets) {
    TestMatrix m{8, 64, alphabet, std::vector<int8_t>(8 * 64)};
    for (size_t i = 0; i < m.w.size(); ++i) m.w[i] = static_cast<int8_t>(i * 37);
    const GrayStream g = build_gray(shape_of(m, 4, 64), m.source());
    for (const uint16_t place :
         std::vector<uint16_t>(g.places.data(), g.places.data() + g.places.size())) {
      EXPECT_LE(place, 64 * 64);
    }
  }
}

TEST(GrayCode, KeepsItsLimit) {
  if (!can_compile(64)) GTEST_SKIP() << "not for this processor";
  const TestMatrix m = random_matrix(40, 300, Alphabet::ternary, 0.3, 1);
  for (const int stride : {32, 64}) {
    const GrayStream g = build_gray(shape_of(m, 4, 300, stride), m.source());
    const GrayCode all = compile_gray(g, Lanes::int16, 1 << 30);
    const auto size = static_cast<int64_t>(all.code.size());
    ASSERT_EQ(all.cells.size(), static_cast<size_t>(g.cell_count() + 1));
    EXPECT_EQ(all.cells.back(), all.code.size());
    EXPECT_EQ(compile_gray(g, Lanes::int16, size).code, all.code);
    EXPECT_TRUE(compile_gray(g, Lanes::int16, size - 1).code.empty());
    EXPECT_TRUE(compile_gray(g, Lanes::int16, 0).code.empty());
  }
}

}  // namespace
}  // namespace rsr::segment
