// The frame of the gemm kernels without 512-bit dot products, for formats whose bytes hold fields
// of one width (t2, b1): a panel of one tile, all vectors of a block, results. How a panel meets a
// token tile is the business of a Micro (in the ISA files):
//
//   static constexpr int kTokens;   // vectors of a token tile
//   template <int tokens> static void add(const uint8_t* panel, const int8_t* x, int64_t steps,
//                                         int32_t* sums);   // sums[tokens][16] += panel times x
#pragma once

#include <immintrin.h>

#include "kernels/gemm/gemm.h"

namespace rsr::kernels {
namespace {

constexpr int kPanelSteps = 128;  // 512 columns of a tile: 8 KiB of L1
constexpr int kBlockTokens = 96;  // vectors whose sums wait while the panel changes: 6 KiB

/// One byte per weight: [step of four columns][16 rows][4].
template <int bits>
void decode(const uint8_t* lines, int64_t count, uint8_t* panel) {
  constexpr int kFields = 8 / bits;
  for (int64_t i = 0; i < count; ++i) {
    for (int f = 0; f < kFields; ++f) {
      for (int j = 0; j < kMatvecLineBytes; ++j) {
        panel[j] = static_cast<uint8_t>(lines[j] >> f * bits & ((1 << bits) - 1));
      }
      panel += kMatvecLineBytes;
    }
    lines += kMatvecLineBytes;
  }
}

template <class Micro, int width = Micro::kTokens>
void add_width(int64_t tokens, const uint8_t* panel, const int8_t* x, int64_t steps,
               int32_t* sums) {
  if (tokens == width) return Micro::template add<width>(panel, x, steps, sums);
  if constexpr (width > 1) add_width<Micro, width - 1>(tokens, panel, x, steps, sums);
}

/// A tile and the vectors of a block.
struct Block {
  int64_t tile;
  int64_t token;
  int64_t tokens;
};

/// Panel by panel over the lines [begin, end): sums[token][16] += codes times x.
template <class Micro, int bits>
void add_lines(const MatvecI8& p, const Block& b, int64_t begin, int64_t end, int32_t* sums) {
  constexpr int kLineSteps = 8 / bits;
  constexpr int kPanelLines = kPanelSteps / kLineSteps;
  alignas(64) uint8_t panel[kPanelSteps * kMatvecLineBytes];
  for (int64_t at = begin; at < end; at += kPanelLines) {
    const int64_t lines = end - at < kPanelLines ? end - at : kPanelLines;
    decode<bits>(p.w.lines + b.tile * p.w.tile_stride + at * kMatvecLineBytes, lines, panel);
    for (int64_t t = 0; t < b.tokens; t += Micro::kTokens) {
      const int64_t left = p.batch - b.token - t;
      const int64_t width = left < Micro::kTokens ? left : Micro::kTokens;
      const int8_t* x = p.x + (b.token + t) * p.x_cols + at * kLineSteps * 4 * width;
      add_width<Micro>(width, panel, x, lines * kLineSteps, sums + t * kMatvecTileRows);
    }
  }
}

/// Results of one vector: `sums` and, with group scales, the float total so far.
inline void store(const MatvecI8& p, int64_t tile, int64_t token, const int32_t* sums,
                  const float* scaled) {
  const int64_t row = tile * kMatvecTileRows;
  const int64_t left = p.out.rows - row;
  const float token_scale = p.out.token_scales != nullptr ? p.out.token_scales[token] : 1.0f;
  for (int64_t r = 0; r < left && r < kMatvecTileRows; ++r) {
    const int64_t at = token * p.out.stride + row + r;
    if (p.out.sums != nullptr) {
      p.out.sums[at] = sums[r];
      continue;
    }
    const float value = p.w.group_lines > 0 ? scaled[r] : static_cast<float>(sums[r]);
    const float scale = p.out.row_scales != nullptr ? p.out.row_scales[row + r] : p.out.scale;
    p.out.y[at] = value * token_scale * scale;
  }
}

template <class Micro, int bits>
void multiply_block(const MatvecI8& p, const Block& b) {
  alignas(64) int32_t sums[kBlockTokens * kMatvecTileRows];
  alignas(64) float scaled[kBlockTokens * kMatvecTileRows] = {};
  const int64_t group_lines = p.w.group_lines > 0 ? p.w.group_lines : p.w.tile_lines;
  const int64_t groups = p.w.groups();
  for (int64_t group = 0; group < groups; ++group) {
    const int64_t begin = group * group_lines;
    const int64_t end = begin + group_lines < p.w.tile_lines ? begin + group_lines : p.w.tile_lines;
    for (int32_t& sum : sums) sum = 0;
    add_lines<Micro, bits>(p, b, begin, end, sums);
    const float* scales = p.w.group_lines > 0
                              ? p.w.group_scales + (b.tile * groups + group) * kMatvecTileRows
                              : nullptr;
    for (int64_t t = 0; t < b.tokens; ++t) {
      const auto correction = static_cast<uint32_t>(p.corrections[group * p.batch + b.token + t]);
      int32_t* of_token = sums + t * kMatvecTileRows;
      float* total = scaled + t * kMatvecTileRows;
      for (int r = 0; r < kMatvecTileRows; ++r) {
        of_token[r] =
            static_cast<int32_t>((static_cast<uint32_t>(of_token[r]) << p.shift) - correction);
        if (p.w.group_lines > 0) total[r] += static_cast<float>(of_token[r]) * scales[r];
      }
      if (group + 1 == groups) store(p, b.tile, b.token + t, of_token, total);
    }
  }
}

template <class Micro, int bits>
void multiply_range(const MatvecI8& p, int64_t tile_begin, int64_t tile_end) {
  static_assert(kBlockTokens % Micro::kTokens == 0);
  for (int64_t token = 0; token < p.batch; token += kBlockTokens) {
    const int64_t tokens = p.batch - token < kBlockTokens ? p.batch - token : kBlockTokens;
    for (int64_t tile = tile_begin; tile < tile_end; ++tile) {
      multiply_block<Micro, bits>(p, Block{tile, token, tokens});
    }
  }
}

}  // namespace
}  // namespace rsr::kernels
