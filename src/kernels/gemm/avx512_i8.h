// The frame of the AVX-512 kernels with 512-bit dot products. How a line is decoded is the business
// of a Format (in the ISA files):
//
//   static constexpr int kLineSteps;   // steps of four columns in a line
//   static constexpr int kPanelLines;  // lines of a panel, about 512 columns
//   static void decode(const uint8_t* lines, int64_t count, uint8_t* panel);
//
// Four tiles of rows by six vectors are 24 accumulators of 32 registers; each weight register
// serves six products, each input four: 10 loads for 24 products, where the two load ports would
// allow 24. 512 columns by 64 rows are 32 KiB of L1.
#pragma once

#include <immintrin.h>

#include "kernels/gemm/avx512_results.h"
#include "kernels/gemm/gemm.h"
#include "kernels/repeat.h"

namespace rsr::kernels {
namespace {

constexpr int kTiles = 4;          // tiles of a panel
constexpr int kTokens = 6;         // vectors of a token tile
constexpr int kPanelSteps = 128;   // steps of a panel at most
constexpr int kBlockTokens = 192;  // vectors whose sums wait while a panel changes: 48 KiB

/// Sums of all vectors of a block for the rows of a panel: [token][tile][16].
struct Sums {
  alignas(64) int32_t at[kBlockTokens * kTiles * kMatvecTileRows];
};

/// sums[token][tile] += panel x inputs for `tiles` tiles and `tokens` vectors. The two instructions
/// are written out, because GCC 12 would copy and spill accumulators otherwise.
template <int tiles, int tokens>
__attribute__((noinline)) void multiply_block(const uint8_t* panel, const int8_t* x, int64_t steps,
                                              int32_t* sums) {
  __m512i acc[tokens][tiles];
  repeat<tokens>([&](auto t) RSR_INLINE {
    repeat<tiles>([&](auto r) RSR_INLINE {
      acc[t][r] = _mm512_load_si512(sums + (t * kTiles + r) * kMatvecTileRows);
    });
  });
  const auto step = [&](const uint8_t* w, const int8_t* four) RSR_INLINE {
    __m512i codes[tiles];
    repeat<tiles>([&](auto r) RSR_INLINE {
      codes[r] = _mm512_load_si512(w + r * kPanelSteps * kMatvecLineBytes);
    });
    repeat<tokens>([&](auto t) RSR_INLINE {
      __m512i in;
      asm("vpbroadcastd %1, %0"
          : "=v"(in)
          : "m"(*reinterpret_cast<const int8_t(*)[4]>(four + 4 * t)));
      repeat<tiles>([&](auto r) RSR_INLINE {
        // By name: clang 14 does not capture what only an asm statement mentions.
        __m512i& sum = acc[t][r];
        const __m512i code = codes[r];
        const __m512i same = in;
        asm("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(code), "v"(same));
      });
    });
  };
  for (int64_t i = 0; i < steps; ++i) {
    step(panel, x);
    panel += kMatvecLineBytes;
    x += 4 * tokens;
  }
  repeat<tokens>([&](auto t) RSR_INLINE {
    repeat<tiles>([&](auto r) RSR_INLINE {
      _mm512_store_si512(sums + (t * kTiles + r) * kMatvecTileRows, acc[t][r]);
    });
  });
}

template <int tiles>
void multiply_width(int64_t tokens, const uint8_t* panel, const int8_t* x, int64_t steps,
                    int32_t* sums) {
  switch (tokens) {
    case 1:
      return multiply_block<tiles, 1>(panel, x, steps, sums);
    case 2:
      return multiply_block<tiles, 2>(panel, x, steps, sums);
    case 3:
      return multiply_block<tiles, 3>(panel, x, steps, sums);
    case 4:
      return multiply_block<tiles, 4>(panel, x, steps, sums);
    case 5:
      return multiply_block<tiles, 5>(panel, x, steps, sums);
    default:
      return multiply_block<tiles, 6>(panel, x, steps, sums);
  }
}

/// What belongs to a block of vectors and up to kTiles tiles.
struct Block {
  int64_t tile;
  int64_t tiles;
  int64_t token;
  int64_t tokens;
};

/// Panel by panel over the lines [begin, end) of a group: sums += codes times x.
template <class Format>
void add_lines(const MatvecI8& p, const Block& b, int64_t begin, int64_t end, Sums& sums) {
  alignas(64) uint8_t panel[kTiles * kPanelSteps * kMatvecLineBytes];
  for (int64_t at = begin; at < end; at += Format::kPanelLines) {
    const int64_t lines = end - at < Format::kPanelLines ? end - at : Format::kPanelLines;
    for (int64_t r = 0; r < b.tiles; ++r) {
      Format::decode(p.w.lines + (b.tile + r) * p.w.tile_stride + at * kMatvecLineBytes, lines,
                     panel + r * kPanelSteps * kMatvecLineBytes);
    }
    const int64_t steps = lines * Format::kLineSteps;
    const uint8_t* ahead = p.w.lines + b.tile * p.w.tile_stride + (at + lines) * kMatvecLineBytes;
    for (int64_t t = 0; t < b.tokens; t += kTokens) {
      const int64_t left = p.batch - b.token - t;
      const int64_t width = left < kTokens ? left : kTokens;
      const int8_t* x = p.x + (b.token + t) * p.x_cols + at * Format::kLineSteps * 4 * width;
      int32_t* out = sums.at + t * kTiles * kMatvecTileRows;
      // The lines of the next panel come while this one is in use.
      for (int64_t i = t / kTokens * 4; i < lines && i < t / kTokens * 4 + 4; ++i) {
        for (int64_t r = 0; r < b.tiles; ++r) {
          _mm_prefetch(ahead + r * p.w.tile_stride + i * kMatvecLineBytes, _MM_HINT_T1);
        }
      }
      if (b.tiles == kTiles) {
        multiply_width<kTiles>(width, panel, x, steps, out);
        continue;
      }
      for (int64_t r = 0; r < b.tiles; ++r) {
        multiply_width<1>(width, panel + r * kPanelSteps * kMatvecLineBytes, x, steps,
                          out + r * kMatvecTileRows);
      }
    }
  }
}

/// Group by group; without group scales there is one.
template <class Format>
void multiply_block(const MatvecI8& p, const Block& b) {
  Sums sums;
  alignas(64) float scaled[kBlockTokens * kTiles * kMatvecTileRows];
  const bool grouped = p.w.group_lines > 0;
  const int64_t group_lines = grouped ? p.w.group_lines : p.w.tile_lines;
  const int64_t groups = p.w.groups();
  for (int64_t group = 0; group < groups; ++group) {
    const int64_t begin = group * group_lines;
    const int64_t end = begin + group_lines < p.w.tile_lines ? begin + group_lines : p.w.tile_lines;
    for (int64_t i = 0; i < b.tokens * kTiles * kMatvecTileRows; i += 16) {
      _mm512_store_si512(sums.at + i, _mm512_setzero_si512());
    }
    add_lines<Format>(p, b, begin, end, sums);
    const auto tile = [&](int r) { return b.tile + (r < b.tiles ? r : 0); };
    const Finish finish[kTiles] = {
        {p, tile(0), group}, {p, tile(1), group}, {p, tile(2), group}, {p, tile(3), group}};
    for (int64_t t = 0; t < b.tokens; ++t) {
      for (int64_t r = 0; r < b.tiles; ++r) {
        const int64_t at = (t * kTiles + r) * kMatvecTileRows;
        finish[r](b.token + t, _mm512_load_si512(sums.at + at), scaled + at);
      }
    }
  }
}

template <class Format>
void multiply_range(const MatvecI8& p, int64_t tile_begin, int64_t tile_end) {
  for (int64_t token = 0; token < p.batch; token += kBlockTokens) {
    const int64_t tokens = p.batch - token < kBlockTokens ? p.batch - token : kBlockTokens;
    for (int64_t tile = tile_begin; tile < tile_end; tile += kTiles) {
      const int64_t tiles = tile_end - tile < kTiles ? tile_end - tile : kTiles;
      multiply_block<Format>(p, Block{tile, tiles, token, tokens});
    }
  }
}

}  // namespace
}  // namespace rsr::kernels
