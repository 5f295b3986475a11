// Operation groups: RSR in the column-group form of the paper on a GPU. In a block of k rows, the
// columns with one pattern of k digits are a group: they are added up once, and the sum goes to the
// rows of the pattern. Exact, as every form of it.
//
// The index (groups_index.h makes it of segment::ColumnGroups) is packed for warps. Columns of a
// group are summed by one lane, or by several, each with a part of them; 32 parts are a slice:
//
//           lane 0   lane 1   ...  lane 31
//   step 0    17       4      ...    99       A cell (a block of rows, a tile of columns) has
//   step 1   203      31      ...    12       slices until all its columns have a place. Parts
//   step 2    40      --      ...    77       are sorted by length, so that few places of a
//                                             slice are empty: they hold a column of zeros.
//   row 0: 32 digits
//   row 1: 32 digits                          A lane's columns are in such an order that those
//   ...                                       of a step lie in different banks (bank_order.h).
//
// Steps of all slices follow each other, without gaps, in chunks of kChunkSteps steps:
//
//   entries      uint16[chunks][32 lanes][kChunkSteps]   4 * column of the tile, the place in bytes
//   starts       uint32[slices + 1]                      its first step, counted over all
//   digits       uint32[slices][1 or 2][k]               bit digit_bit(lane): plus; then minus
//   cell_slices  uint32[cells + 1]                       cell = block * tiles + tile
//
// Bits per weight: 16 / k, some more for empty places, and 1 (ternary 2) / steps of a slice.
#pragma once

#include <cstddef>
#include <cstdint>

namespace rsr::cuda {

inline constexpr int kGroupLanes = 32;  // of a slice; also the banks of shared memory
inline constexpr int kChunkSteps = 8;
/// Steps of a slice: sums of so many int8 fit into 16 bits, also rounded to a multiple of 256.
inline constexpr int kMostSteps = 255;
/// A cell's slices are in such an order that so many equal ranges of them have about equal work.
inline constexpr int kMostParts = 8;
/// Columns of a tile: their places, and those of a zero in each bank, are 16 bits.
inline constexpr int32_t kMostTileCols = 16384 - kGroupLanes;

/// Where a lane's digit lies: (word >> t) & 0x01010101 are the digits of the lanes from 4t on, and
/// (word >> (4 + t)) those from 16 + 4t on, as a lane of a matrix instruction wants them.
constexpr int digit_bit(int lane) {
  return lane % 4 * 8 + lane / 16 * 4 + lane / 4 % 4;
}

struct Groups {
  const uint16_t* entries = nullptr;
  const uint32_t* starts = nullptr;
  const uint32_t* digits = nullptr;
  const uint32_t* cell_slices = nullptr;
  int32_t k = 0;         // 1 to 16
  bool ternary = false;  // else binary, or
  bool signs = false;    // binary, and a row's result is 2 * sum - sum of x
  int32_t rows = 0;
  int32_t cols = 0;
  int32_t tile_cols = 0;  // with more than one tile: a multiple of 16
  // How work is cut: blocks of rows for a block of threads, and warps that share a cell.
  int32_t span = 1;
  int32_t parts = 1;  // at most kMostParts

  // As operation norm leaves vectors: on a 16-byte boundary, zeros from cols on.
  const int8_t* x = nullptr;  // [batch][x_stride]
  int64_t x_stride = 0;       // a multiple of 16
  int32_t batch = 0;
  int32_t* sums = nullptr;  // [batch][stride]
  int64_t stride = 0;

  constexpr int32_t row_blocks() const { return (rows + k - 1) / k; }
  constexpr int32_t tiles() const { return (cols + tile_cols - 1) / tile_cols; }
  /// Words of a tile's x in shared memory: its columns, then a zero in each bank.
  constexpr int32_t tile_words() const { return zeros_at() + kGroupLanes; }
  constexpr int32_t zeros_at() const {
    const int32_t most = cols < tile_cols ? cols : tile_cols;
    return (most + kGroupLanes - 1) / kGroupLanes * kGroupLanes;
  }
};

}  // namespace rsr::cuda
