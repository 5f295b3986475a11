// Column groups in Gray order, as products of many vectors stream them.
//
// In a cell (k rows of a tile of columns, grid.h) the groups are sorted by rank in the reflected
// Gray code, so that the patterns of neighbours differ in one row, by one. With P_i the sum of the
// inputs of all columns up to group i, Abel summation gives for row r
//
//   y_r = (digit r of the last pattern) P_last - sum over i of (digit r of i+1 - digit r of i) P_i
//
// and each P_i counts in the one row where patterns i and i + 1 differ: a cell costs an addition
// per column, one per boundary, and k at the end (docs/algorithm.md). Columns that are all zero
// are left out.
//
// Columns come in pairs, and a group has whole pairs; the sum after each pair is kept, and `ends`
// says which of these is P_i. Cells lie tile by tile, since the inputs of a tile of columns stay in
// the first level cache while its blocks of rows pass:
//
//   cell         tile * block_count() + block
//   cell_places  int64 [cells + 1]         its places begin here; a multiple of kPlacesAtOnce
//   places       uint16[...]               a column in its tile, times `stride` (bytes of a vector
//                                          of inputs); tile_cols * stride, a vector of zeros, fills
//                                          up pairs and cells
//   ends         uint16[cells][patterns]   pairs up to the end of each group, times `stride`
//
// That is 2 / k bytes per weight and column of a group, and the rest: ternary, a third zeros,
// k = 4: 0.64 bytes; binary, k = 6: 0.42.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "base/aligned.h"
#include "segment/grid.h"

namespace rsr::segment {

inline constexpr int kPlacesAtOnce = 8;

struct GrayStream : Grid {
  int stride = 0;
  int64_t additions = 0;  // for one vector: columns of groups, and boundaries; nothing borrowed
  std::vector<int64_t> cell_places;
  base::AlignedArray<uint16_t> places;
  base::AlignedArray<uint16_t> ends;

  int64_t patterns() const;
  int64_t cell(int64_t block, int64_t tile) const { return tile * block_count() + block; }
  /// Bytes of the three arrays.
  int64_t nbytes() const;
};

/// Rows and columns of a matrix, and how its index is cut: k up to 8 (ternary: 5), and
/// (tile_cols + 1) * stride at most 65,536.
struct GrayShape : Grid {
  int stride = 64;
  /// A column may be listed in two groups whose patterns add up to its own, where that makes whole
  /// pairs of three groups; it is then counted as additions of one column. Code needs no pairs.
  bool borrow = true;
};

/// The pattern, as ColumnGroups has it, of a number with the digits of code_digit().
uint32_t code_pattern(Alphabet alphabet, int k, int code);

/// How many additions an index has, expected for random values of which a share are zeros.
double expected_gray_additions(const Grid& grid, double zeros);

/// `read_row(row, out)` gives the values of a row, rows rising from 0. Values outside of the
/// alphabet do no harm, but count as anything.
GrayStream build_gray(const GrayShape& shape,
                      const std::function<void(int64_t row, int8_t* out)>& read_row);

}  // namespace rsr::segment
