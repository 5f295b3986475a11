// What the loops for int8 and for float inputs share: blocks of rows, the lines of a unit, results.
#pragma once

#include <immintrin.h>

#include <cstdint>

#include "kernels/gemm_tables/gemm_tables.h"
#include "kernels/repeat.h"

namespace rsr::kernels {
namespace {

constexpr int64_t kBlockTiles = 160;  // of rows that meet the same tables
constexpr int64_t kBlockRows = kBlockTiles * kMatvecTileRows;
// Tiles of rows whose results are written together: 1 KiB of each token at once. A tile at a time,
// 64 bytes here and 64 bytes in another page, took a sixth of the product.
constexpr int64_t kResultTiles = 16;
constexpr int64_t kResultRows = kResultTiles * kMatvecTileRows;

/// Consecutive tiles of rows.
struct Tiles {
  int64_t first;
  int64_t count;
};

/// The tokens of a tile: the first, and how many.
struct Tokens {
  int64_t first;
  int64_t count;
};

/// The largest block: tiles of rows, and tokens.
struct BlockSize {
  int64_t tiles;
  int64_t tokens;
};

/// Calls multiply(tiles, first token) for all blocks; their rows are of about the same number, as
/// what comes from the inputs is made for each anew.
template <class Multiply>
void for_each_block(Tiles all, int64_t batch, BlockSize size, const Multiply& multiply) {
  const int64_t blocks = (all.count + size.tiles - 1) / size.tiles;
  for (int64_t block = 0; block < blocks; ++block) {
    const int64_t begin = block * all.count / blocks;
    const int64_t end = (block + 1) * all.count / blocks;
    for (int64_t token = 0; token < batch; token += size.tokens) {
      multiply(Tiles{all.first + begin, end - begin}, token);
    }
  }
}

/// Calls read(lines, i) with the `unit_lines` lines of a unit from line `line` on, for the i-th of
/// the tiles; lines that there are not are zero. Those of the next unit are fetched meanwhile.
template <int unit_lines, class Read>
void read_unit(const PackedMatrix& w, Tiles tiles, int64_t line, const Read& read) {
  alignas(64) static constexpr uint8_t kNothing[kMatvecLineBytes] = {};
  const uint8_t* first = w.lines + tiles.first * w.tile_stride + line * kMatvecLineBytes;
  for (int64_t t = 0; t < tiles.count; ++t, first += w.tile_stride) {
    const uint8_t* lines[unit_lines];
    for (int64_t i = 0; i < unit_lines; ++i) {
      lines[i] = line + i < w.tile_lines ? first + i * kMatvecLineBytes : kNothing;
      _mm_prefetch(first + (unit_lines + i) * kMatvecLineBytes, _MM_HINT_T1);
    }
    read(lines, t);
  }
}

/// y[rows from `row` on] of a token = values with their scales.
template <class T>
void write_scaled(const Output& out, int64_t row, int64_t rows, int64_t token, const T* values) {
  const float token_scale = out.token_scales != nullptr ? out.token_scales[token] : 1.0f;
  float* y = out.y + token * out.stride + row;
  if (out.row_scales == nullptr) {
    for (int64_t r = 0; r < rows; ++r) {
      y[r] = static_cast<float>(values[r]) * token_scale * out.scale;
    }
    return;
  }
  for (int64_t r = 0; r < rows; ++r) {
    y[r] = static_cast<float>(values[r]) * token_scale * out.row_scales[row + r];
  }
}

/// Rows of some tiles that the matrix has.
inline int64_t rows_of(const Output& out, Tiles tiles) {
  const int64_t left = out.rows - tiles.first * kMatvecTileRows;
  return left < tiles.count * kMatvecTileRows ? left : tiles.count * kMatvecTileRows;
}

}  // namespace
}  // namespace rsr::kernels
