// Operation gemm_gray: the products of gemm (kernels/gemm/gemm.h) by RSR in Gray order: equal
// columns of a block of rows share one addition (segment/gray_stream.h says how, and draws the
// index). It does not read the packed weights, so one kernel serves all formats of an alphabet.
//
// Inputs of a token tile are vectors of int16, 32 tokens with 64 bytes and 16 with 32; those of a
// tile of columns (28 or 14 KB) and the running sums of a cell stay in L1. Sums may wrap on the
// way, as only a tile's result has to fit. That it fits is known beforehand: the sum of |x| over
// the columns since the int16 sums were last emptied into int32 is at most 32,767 for every token;
// a tile of columns that reaches further by itself is done in two halves.
//
// Parameters and results are those of matvec_*_i8, bit for bit, except that `gray` says what the
// matrix is, `w` only its scales, of which there must be none per group of columns, and that
// `scratch` must be gray_scratch_bytes(), aligned to 64.
#pragma once

#include <cstdint>

#include "kernels/matvec/matvec.h"

namespace rsr::kernels {

/// Columns of a tile at most; so half a tile of |x| = 128 fits into int16. Rows of a block.
inline constexpr int64_t kGrayTileCols = 448;
inline constexpr int kGrayRowsBinary = 6;
inline constexpr int kGrayRowsTernary = 4;

/// The arrays of segment::GrayStream or segment::GrayCode. `tile_cols` is a multiple of four, up to
/// kGrayTileCols.
struct GrayGroups {
  bool ternary = false;
  int64_t rows = 0;
  int64_t cols = 0;
  int64_t tile_cols = 0;
  const int64_t* cell_places = nullptr;
  const uint16_t* places = nullptr;
  const uint16_t* ends = nullptr;
  // Instead of places and ends: the cells as functions (segment/gray_code.h), executable.
  const uint8_t* code = nullptr;
  const uint64_t* cell_code = nullptr;

  constexpr int64_t tiles() const { return (cols + tile_cols - 1) / tile_cols; }
  constexpr int64_t blocks(int k) const { return (rows + k - 1) / k; }
};

// Running sums, results and sums, with 64-byte vectors.
inline constexpr int64_t kGrayFixedScratch = int64_t{320} << 10;
// What follows the columns of a tile: a vector of zeros, and how far the columns reach.
inline constexpr int64_t kGrayExtraVectors = 3;
/// Scratch memory for any vectors: the above, and the columns of four token tiles.
constexpr int64_t gray_scratch_bytes(const GrayGroups& gray) {
  return kGrayFixedScratch + gray.tiles() * (gray.tile_cols + kGrayExtraVectors) * 4 * 64;
}

/// Float inputs, the same index. Sums of the running sums of some tiles of columns are float, the
/// rest is double; docs/algorithm.md derives how far results may be from the exact ones.
struct GemmGrayF32 {
  const GrayGroups* gray = nullptr;
  const float* x = nullptr;  // [batch][x_stride], finite
  int64_t x_stride = 0;
  bool signs = false;  // of a binary matrix: zeros weigh -1 instead of 0
  int64_t batch = 0;
  Output out;
  void* scratch = nullptr;  // gray_scratch_bytes(), aligned to 64
};
using GemmGrayF32Function = void(const GemmGrayF32& p, int64_t tile_begin,
                                 int64_t tile_end) noexcept;

#define GEMM_GRAY_F32(isa, token_tile) GemmGrayF32Function gemm_gray_f32_##isa;
#define GEMM_GRAY_I8(isa, token_tile) MatvecI8Function gemm_gray_i8_##isa;
#include "kernels/gemm_gray/kernels.inc"

}  // namespace rsr::kernels
