// Operation scan: rows of int8 values times a few vectors of 16-bit integers, for a first look at
// a large matrix of which few rows matter (an LM head: linear/head_scan.h). It is read once for all
// of them.
//
// A tile is 16 rows; a line of 64 bytes holds four columns of it, four successive bytes a row:
//
//   byte 4 * r + c of line s = value[tile * 16 + r][4 * s + c] + 128
//
// A vector comes as two planes of bytes, x = 256 * high + low, so that one 8-bit dot product
// serves each:
//
//   high[row] = sum over c of code[row][c] * x_high[c],   low[row] = the same with x_low[c]
//
// codes being unsigned, a row's product is sum - 128 * (sum over c of x_high[c]). Integers: every
// instruction set gives the same. A sum stays below 2^31 for up to kScanMaxCols columns.
#pragma once

#include <cstdint>

namespace rsr::kernels {

inline constexpr int kScanTileRows = 16;
inline constexpr int kScanStepCols = 4;
inline constexpr int kScanLineBytes = kScanTileRows * kScanStepCols;
inline constexpr int kScanXBytes = 2 * kScanStepCols;
inline constexpr int64_t kScanMaxCols = 65536;  // * 255 * 128 < 2^31
inline constexpr int kScanZero = 128;           // the code of 0
inline constexpr int kScanMostBatch = 8;

struct ScanI8 {
  const uint8_t* lines = nullptr;  // [tiles][steps][kScanLineBytes], on a 64-byte boundary
  int64_t steps = 0;               // the columns in fours, the last ones padded
  int64_t batch = 1;               // 1 to kScanMostBatch vectors
  const int8_t* x = nullptr;  // [batch][steps][kScanXBytes]: four high bytes, their four low bytes
  int32_t* high = nullptr;    // [batch][rows]
  int32_t* low = nullptr;     // the same
  int64_t rows = 0;           // tiles * kScanTileRows, of the whole matrix
};

/// Kernels compute the tiles [tile_begin, tile_end).
using ScanI8Function = void(const ScanI8& p, int64_t tile_begin, int64_t tile_end) noexcept;

#define SCAN_I8(isa) ScanI8Function scan_i8_i16_##isa;
#include "kernels/scan/kernels.inc"

}  // namespace rsr::kernels
