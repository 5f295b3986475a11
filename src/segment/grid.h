// How a matrix is cut for RSR, whatever its index says of the pieces.
#pragma once

#include <algorithm>
#include <cstdint>

namespace rsr::segment {

/// Digits of a pattern. A {-1, +1} matrix is 2 B - 1 with a binary B: multiply B, then take
/// 2 y - sum(x); as ternary it would need three times as many patterns for the same rows.
enum class Alphabet : uint8_t {
  binary,  ///< 0, 1
  ternary  ///< -1, 0, +1
};

/// Blocks of k rows (the last may be shorter) by tiles of tile_cols columns (the last may be
/// narrower); cell = block * tile_count() + tile.
struct Grid {
  int64_t rows = 0;
  int64_t cols = 0;
  int64_t tile_cols = 0;
  int k = 0;
  Alphabet alphabet = Alphabet::binary;

  int64_t block_count() const { return (rows + k - 1) / k; }
  int64_t tile_count() const { return (cols + tile_cols - 1) / tile_cols; }
  int64_t cell_count() const { return block_count() * tile_count(); }
  int block_rows(int64_t block) const {
    return static_cast<int>(std::min<int64_t>(k, rows - block * k));
  }
  int64_t tile_width(int64_t tile) const { return std::min(tile_cols, cols - tile * tile_cols); }
};

}  // namespace rsr::segment
