// The frame of the int8 kernels that empty their accumulators after a few lines (int16 sums), or
// have too few registers for four streams: each stream in turn does a block of lines, its totals
// wait in L1. What a block means is the business of a Format (in the ISA files):
//
//   static constexpr int kLineCols, kBlockLines;
//   static void add(const uint8_t* line, const int8_t* x, int64_t lines, const Prefetch&,
//                   int32_t* total);   // total[16] += sums of codes times x
//
// Four far streams, as in avx512_i8.h: the hardware's prefetchers alone stop at each 4 KiB page.
#pragma once

#include <immintrin.h>

#include "kernels/matvec/matvec.h"

namespace rsr::kernels {
namespace {

inline void prefetch(const uint8_t* line, const Prefetch& ahead) {
  _mm_prefetch(line + ahead.near, _MM_HINT_T0);
  _mm_prefetch(line + ahead.far, _MM_HINT_T2);
}

/// One tile's results on their way out. `total` are sums of codes times x of one group.
struct TileSums {
  alignas(64) int32_t total[kMatvecTileRows];
  alignas(64) float scaled[kMatvecTileRows];
};

inline void store_tile(const MatvecI8& p, int64_t tile, int64_t token, const TileSums& sums) {
  const int64_t row = tile * kMatvecTileRows;
  const int64_t left = p.out.rows - row;
  const int64_t rows = left < kMatvecTileRows ? left : kMatvecTileRows;
  const bool grouped = p.w.group_lines > 0;
  if (p.out.sums != nullptr) {
    for (int64_t r = 0; r < rows; ++r) p.out.sums[token * p.out.stride + row + r] = sums.total[r];
    return;
  }
  const float token_scale = p.out.token_scales != nullptr ? p.out.token_scales[token] : 1.0f;
  float* y = p.out.y + token * p.out.stride + row;
  for (int64_t r = 0; r < rows; ++r) {
    const float value = grouped ? sums.scaled[r] : static_cast<float>(sums.total[r]);
    const float scale = p.out.row_scales != nullptr ? p.out.row_scales[row + r] : p.out.scale;
    y[r] = value * token_scale * scale;
  }
}

/// total = total * 2^shift - correction; with group scales also scaled += total * scale.
inline void finish_group(const MatvecI8& p, int64_t tile, int64_t group, int64_t token,
                         TileSums& sums) {
  const auto correction = static_cast<uint32_t>(p.corrections[group * p.batch + token]);
  const float* scales = p.w.group_lines > 0
                            ? p.w.group_scales + (tile * p.w.groups() + group) * kMatvecTileRows
                            : nullptr;
  for (int r = 0; r < kMatvecTileRows; ++r) {
    sums.total[r] =
        static_cast<int32_t>((static_cast<uint32_t>(sums.total[r]) << p.shift) - correction);
    if (scales == nullptr) continue;
    sums.scaled[r] += static_cast<float>(sums.total[r]) * scales[r];
    sums.total[r] = 0;
  }
}

/// The tiles tile, tile + far, ... of `streams` streams and one vector.
template <class Format, int streams>
void multiply_tiles(const MatvecI8& p, int64_t tile, int64_t far, int64_t token) {
  const int64_t group_lines = p.w.group_lines > 0 ? p.w.group_lines : p.w.tile_lines;
  const uint8_t* lines = p.w.lines + tile * p.w.tile_stride;
  const int8_t* x = p.x + token * p.x_cols;
  TileSums sums[streams] = {};
  for (int64_t begin = 0, group = 0; begin < p.w.tile_lines; begin += group_lines, ++group) {
    const int64_t end = begin + group_lines < p.w.tile_lines ? begin + group_lines : p.w.tile_lines;
    for (int64_t at = begin; at < end; at += Format::kBlockLines) {
      const int64_t count = end - at < Format::kBlockLines ? end - at : Format::kBlockLines;
      for (int s = 0; s < streams; ++s) {
        Format::add(lines + s * far * p.w.tile_stride + at * kMatvecLineBytes,
                    x + at * Format::kLineCols, count, p.prefetch, sums[s].total);
      }
    }
    for (int s = 0; s < streams; ++s) finish_group(p, tile + s * far, group, token, sums[s]);
  }
  for (int s = 0; s < streams; ++s) store_tile(p, tile + s * far, token, sums[s]);
}

template <class Format>
void multiply_range(const MatvecI8& p, int64_t tile_begin, int64_t tile_end) {
  const int64_t far = (tile_end - tile_begin) / 4;
  for (int64_t tile = tile_begin; tile < tile_begin + far; ++tile) {
    for (int64_t t = 0; t < p.batch; ++t) multiply_tiles<Format, 4>(p, tile, far, t);
  }
  for (int64_t tile = tile_begin + 4 * far; tile < tile_end; ++tile) {
    for (int64_t t = 0; t < p.batch; ++t) multiply_tiles<Format, 1>(p, tile, 0, t);
  }
}

}  // namespace
}  // namespace rsr::kernels
