// The index of RSR: which columns of a block of k rows are equal, and what they look like.
//
//            cols
//      +-----------+-----------+-----+      W is cut into blocks of k rows and tiles of
//    k | cell 0    | cell 1    | 2   |      tile_cols columns (grid.h).
//      +-----------+-----------+-----+
//    k | cell 3    | cell 4    | 5   |
//      +-----------+-----------+-----+      A group of a cell: the columns with one pattern of k
//   <k | cell 6    | cell 7    | 8   |      digits. All-zero columns are in no group.
//      +-----------+-----------+-----+
//
//   cell_groups    int64 [cells + 1]   groups of cell c: cell_groups[c] .. cell_groups[c+1]-1
//   cell_columns   int64 [cells + 1]   its columns in the same way
//   patterns       uint32[groups]      bit r: row r of the block is +1; bit 16 + r: it is -1
//   lasts          uint16[groups]      place of the group's last column, counted from the cell's
//                                      first; so group g has the places lasts[g-1]+1 .. lasts[g]
//   columns        uint16[...]         column minus the tile's first column; rising within a group
//
//   columns of a cell   | 0 3 9 | 1 | 2 7 | 4 5 8 |   (6 is all zero)
//   lasts                     2   3     5       8
//
// Columns cost 2 bytes, groups 6: for a dense k this is 2 / k bytes per weight plus the groups.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "rsr/status.h"
#include "segment/grid.h"

namespace rsr::segment {

inline constexpr int kMaxBlockRows = 16;
inline constexpr int64_t kMaxTileCols = 65536;

/// How the groups of a cell are sorted. Gray form is fast with gray_rank only.
enum class Order : uint8_t {
  pattern_value,  ///< by the stored uint32, rising
  gray_rank       ///< by rank in the reflected Gray code, base 2 or base 3, rising
};

struct ColumnGroups : Grid {
  Order order = Order::pattern_value;

  std::vector<int64_t> cell_groups;
  std::vector<int64_t> cell_columns;
  std::vector<uint32_t> patterns;
  std::vector<uint16_t> lasts;
  std::vector<uint16_t> columns;

  /// Bytes of the five arrays.
  int64_t nbytes() const;
};

/// out[cols] = the values of `row`. Called once per row, rows rising from 0.
using RowSource = std::function<void(int64_t row, int8_t* out)>;

struct BuildOptions {
  Alphabet alphabet = Alphabet::ternary;
  Order order = Order::pattern_value;
  /// Rows of a block, 1 to 16.
  int k = 8;
  /// Columns of a tile, 1 to 65,536; 0 means 65,536. Matrices with one scale per group of columns
  /// take the group's size here, so that a tile has one scale.
  int64_t tile_cols = 0;
};

/// Any rows >= 0, 1 to 16,777,215 columns. Needs O(k * cols) memory beside the index. Errors: a bad
/// option or shape; a value outside the alphabet (named by row and column).
Result<ColumnGroups> build(const RowSource& source, int64_t rows, int64_t cols,
                           const BuildOptions& options);

/// Everything that multiply() relies on: sizes agree, ranges are monotone, patterns are not zero,
/// lie inside their block's rows and have no row both +1 and -1, groups are strictly sorted,
/// columns lie inside their tile, rise within a group, and none is in two groups of a cell.
Status validate(const ColumnGroups& groups);

/// A little-endian image with magic, version and sizes; from_bytes refuses what validate() refuses.
std::vector<std::byte> to_bytes(const ColumnGroups& groups);
Result<ColumnGroups> from_bytes(std::span<const std::byte> bytes);

/// Place of a pattern in the reflected Gray code over all patterns of k digits: 0 is all zero
/// (binary) or all -1 (ternary), the last one has only the highest row set (binary) or is all +1.
/// Row r is digit r, row 0 the one that changes most often. For k = 0 it is 0.
uint32_t gray_rank(uint32_t pattern, int k, Alphabet alphabet);

/// The number that a cell's groups are sorted by.
uint32_t sort_key(uint32_t pattern, int k, Alphabet alphabet, Order order);

}  // namespace rsr::segment
