#include "segment/group_slices.h"

#include <gtest/gtest.h>

#include "segment/oracle.h"
#include "segment/slice_forms.h"
#include "segment/test_matrices.h"

namespace rsr::segment {
namespace {

ColumnGroups groups_of(const TestMatrix& m, int k, int64_t tile_cols) {
  BuildOptions options;
  options.alphabet = m.alphabet;
  options.k = k;
  options.tile_cols = tile_cols;
  return build(m.source(), m.rows, m.cols, options).value();
}

/// The product by the slices' definition.
std::vector<uint32_t> product(const GroupSlices& g, Form form, const std::vector<int8_t>& x) {
  std::vector<uint32_t> y;
  std::vector<uint32_t> table(static_cast<size_t>(pattern_count(g.alphabet, g.k)));
  for (int64_t block = 0; block < g.block_count(); ++block) {
    uint32_t rows[kMaxBlockRows] = {};
    for (int64_t tile = 0; tile < g.tile_count(); ++tile) {
      const int64_t cell = block * g.tile_count() + tile;
      const int64_t begin = g.cell_slices[cell];
      const int64_t count = (g.cell_slices[cell + 1] - begin) * kSliceGroups;
      std::vector<uint32_t> sums(static_cast<size_t>(count));
      for (int64_t i = 0; i < count; ++i) {
        const int64_t slice = begin + i / kSliceGroups;
        for (int64_t s = g.slice_steps[slice]; s < g.slice_steps[slice + 1]; ++s) {
          const int64_t column = g.columns[s * kSliceGroups + i % kSliceGroups];
          if (column != g.tile_width(tile)) sums[i] += widen(x[tile * g.tile_cols + column]);
        }
      }
      const std::span patterns(g.patterns.data() + begin * kSliceGroups,
                               static_cast<size_t>(count));
      add_slices(form, g, patterns, sums.data(), table.data(), rows);
    }
    y.insert(y.end(), rows, rows + g.block_rows(block));
  }
  return y;
}

TEST(GroupSlices, AreRightAndComeBackForEveryKAndShape) {
  uint32_t seed = 1;
  for (const Alphabet alphabet : kAlphabets) {
    for (int k = 1; k <= max_k(Form::fold, alphabet); ++k) {
      for (const int64_t cols : {1, 16, 700}) {
        for (const int64_t tile : {0, 5, 256}) {
          const TestMatrix m = random_matrix(2 * k + 1, cols, alphabet, 0.33, ++seed);
          const ColumnGroups g = groups_of(m, k, tile == 0 ? kMaxSliceCols : tile);
          const GroupSlices slices = slice(g);
          const ColumnGroups back = unslice(slices);
          EXPECT_TRUE(validate(back).ok()) << validate(back).message();
          EXPECT_TRUE(back.cell_groups == g.cell_groups && back.cell_columns == g.cell_columns);
          EXPECT_TRUE(back.patterns == g.patterns && back.lasts == g.lasts);
          EXPECT_EQ(back.columns, g.columns);
          const std::vector<int8_t> x = random_int8(cols, seed);
          const std::vector<int64_t> expected = dense_product(m.w, x);
          for (const Form form : {Form::scatter, Form::fold}) {
            const auto y = product(slices, form, x);
            for (size_t r = 0; r < expected.size(); ++r) {
              ASSERT_EQ(static_cast<int32_t>(y[r]), expected[r]) << to_string(form) << " k " << k;
            }
          }
        }
      }
    }
  }
}

TEST(GroupSlices, WasteLittle) {
  const TestMatrix m = random_matrix(5, 14'336, Alphabet::ternary, 1.0 / 3, 3);
  const ColumnGroups g = groups_of(m, 5, kMaxSliceCols);
  EXPECT_LT(static_cast<double>(slice(g).columns.size()),
            1.08 * static_cast<double>(g.columns.size()));
}

TEST(GroupSlices, NeedTilesWithAPlaceForNone) {
  const TestMatrix m = random_matrix(2, 65'540, Alphabet::ternary, 0.3, 5);
  EXPECT_FALSE(can_slice(groups_of(m, 2, 65'536)));
  EXPECT_TRUE(can_slice(groups_of(m, 2, 65'535)));
}

}  // namespace
}  // namespace rsr::segment
