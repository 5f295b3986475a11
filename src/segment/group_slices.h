// Column groups for gathers: sixteen groups side by side, so that one vector of places reads one
// column of each.
//
//   slice         16 groups of a cell (column_groups.h), of nearly equal length: the cell's groups
//                 are sorted by their numbers of columns, most first
//   step          16 columns, one of each group; a group that has ended has the tile's width there,
//                 where the caller keeps a zero
//
//   group 5    | 3 | 8 | 9 | 21 | 40 |
//   group 0    | 1 | 4 | 7 | 30 | -- |      5 steps; the columns of a step lie side by side
//   group 9    | 0 | 2 | 6 | -- | -- |
//
//   cell_slices   int64 [cells + 1]     slices of cell c: cell_slices[c] .. cell_slices[c+1]-1
//   slice_steps   int64 [slices + 1]    its steps in the same way
//   patterns      uint32[slices][16]    as in column_groups.h; 0: no group
//   columns       uint16[steps][16]
//
// Sorting keeps the waste small: 6% with ternary 14336 columns and k = 5, most of it the lanes that
// the last slice of a cell lacks. Columns rise within a group, so that the sixteen walk through x
// together.
#pragma once

#include <cstdint>
#include <vector>

#include "base/aligned.h"
#include "segment/column_groups.h"

namespace rsr::segment {

inline constexpr int kSliceGroups = 16;
/// Tiles must be narrower than this, for their width is a place.
inline constexpr int64_t kMaxSliceCols = 65535;

struct GroupSlices : Grid {
  std::vector<int64_t> cell_slices;
  std::vector<int64_t> slice_steps;
  std::vector<uint32_t> patterns;
  base::AlignedArray<uint16_t> columns;

  /// Bytes of the four arrays.
  int64_t nbytes() const;
};

/// True when no tile is too wide.
bool can_slice(const ColumnGroups& groups);

/// The same groups in slices, and back; `groups` are in Order::pattern_value.
GroupSlices slice(const ColumnGroups& groups);
ColumnGroups unslice(const GroupSlices& slices);

}  // namespace rsr::segment
