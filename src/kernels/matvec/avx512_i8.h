// The frame of the AVX-512 kernels with 512-bit dot products: far streams, groups, results. What a
// line means is the business of a Format (in the ISA files).
//
// Four far streams: a thread's tiles are cut into four ranges that are read side by side. One
// stream reaches 85 to 90% of the bandwidth that four reach together (hardware prefetchers stop at
// each 4 KiB page), six to eight are slower again. Prefetches into L1 and, further ahead, into L2:
// one kind alone leaves 5 to 10%.
#pragma once

#include <immintrin.h>

#include "kernels/matvec/matvec.h"
#include "kernels/repeat.h"

namespace rsr::kernels {
namespace {

/// sums[row] += dot product of the row's four codes (unsigned bytes) with four int8 at x. As one
/// instruction written out: GCC 12 otherwise broadcasts into a register first and spills others.
inline __attribute__((always_inline)) void dot(__m512i& sums, __m512i codes, const int8_t* x) {
  asm("vpdpbusd %2%{1to16%}, %1, %0"
      : "+v"(sums)
      : "v"(codes), "m"(*reinterpret_cast<const int8_t(*)[4]>(x)));
}

inline __attribute__((always_inline)) void prefetch(const uint8_t* line, const Prefetch& bytes) {
  _mm_prefetch(line + bytes.near, _MM_HINT_T0);
  _mm_prefetch(line + bytes.far, _MM_HINT_T2);
}

inline __mmask16 rows_of_tile(const Output& out, int64_t tile) {
  const int64_t left = out.rows - tile * kMatvecTileRows;
  return left >= kMatvecTileRows ? __mmask16{0xFFFF} : static_cast<__mmask16>((1u << left) - 1);
}

inline void store_floats(const Output& out, int64_t tile, int64_t token, __m512 value) {
  const __mmask16 rows = rows_of_tile(out, tile);
  const int64_t row = tile * kMatvecTileRows;
  const float token_scale = out.token_scales != nullptr ? out.token_scales[token] : 1.0f;
  const __m512 scales = out.row_scales != nullptr
                            ? _mm512_maskz_loadu_ps(rows, out.row_scales + row)
                            : _mm512_set1_ps(out.scale);
  value = _mm512_mul_ps(_mm512_mul_ps(value, _mm512_set1_ps(token_scale)), scales);
  _mm512_mask_storeu_ps(out.y + token * out.stride + row, rows, value);
}

inline void store_sums(const Output& out, int64_t tile, int64_t token, __m512i sums) {
  if (out.sums == nullptr) return store_floats(out, tile, token, _mm512_cvtepi32_ps(sums));
  _mm512_mask_storeu_epi32(out.sums + token * out.stride + tile * kMatvecTileRows,
                           rows_of_tile(out, tile), sums);
}

/// Lines of `streams` tiles and the inputs of a token tile that meet them.
struct Lines {
  const uint8_t* first;  // of stream 0
  int64_t stream_stride;
  int64_t count;
  const int8_t* x;
  Prefetch ahead;
};

/// What is left of `count` lines when blocks of `block` are done: at most three.
template <int block, class AddLines>
inline __attribute__((always_inline)) void add_tail(int64_t count, const AddLines& add_lines) {
  if constexpr (block > 1) {
    static_assert(block == 4);
    switch (count % block) {
      case 1:
        return add_lines(Index<1>{});
      case 2:
        return add_lines(Index<2>{});
      case 3:
        return add_lines(Index<3>{});
      default:
        return;
    }
  }
}

/// Sums of codes times x of some lines, one vector. Format leaves codes in place, so that each
/// field of a byte has its own accumulator and its own scale.
template <class Format, int streams>
__attribute__((noinline)) void sum_one(const Lines& in, __m512i (*sums)[1]) {
  const Format format;
  __m512i part[streams][Format::kParts];
  repeat<streams>([&](auto st) RSR_INLINE {
    repeat<Format::kParts>([&](auto i) RSR_INLINE { part[st][i] = _mm512_setzero_si512(); });
  });
  const uint8_t* line = in.first;
  const int8_t* x = in.x;
  const auto add_lines = [&](auto n) RSR_INLINE {
    repeat<n>([&](auto i) RSR_INLINE {
      repeat<streams>([&](auto st) RSR_INLINE {
        const uint8_t* at = line + st * in.stream_stride + i * kMatvecLineBytes;
        prefetch(at, in.ahead);
        format.add(_mm512_load_si512(at), x, i, n, part[st]);
      });
    });
  };
  for (int64_t blocks = in.count / Format::kBlockLines; blocks > 0; --blocks) {
    add_lines(Index<Format::kBlockLines>{});
    line += Format::kBlockLines * kMatvecLineBytes;
    x += Format::kBlockLines * Format::kLineCols;
  }
  add_tail<Format::kBlockLines>(in.count, add_lines);
  repeat<streams>([&](auto st) RSR_INLINE { sums[st][0] = Format::fold(part[st]); });
}

/// The same for `tokens` vectors at once: fields are moved down to codes 0, 1, 2 first, which costs
/// a little, and each vector then needs one accumulator only.
template <class Format, int streams, int tokens>
__attribute__((noinline)) void sum_many(const Lines& in, __m512i (*sums)[tokens]) {
  const Format format;
  __m512i part[streams][tokens];
  repeat<streams>([&](auto st) RSR_INLINE {
    repeat<tokens>([&](auto t) RSR_INLINE { part[st][t] = _mm512_setzero_si512(); });
  });
  const uint8_t* line = in.first;
  const int8_t* x = in.x;
  // Each product takes its input from memory: shared registers for two streams were no faster.
  const auto add_line = [&](auto i, auto n, auto st) RSR_INLINE {
    const uint8_t* at = line + st * in.stream_stride + i * kMatvecLineBytes;
    prefetch(at, in.ahead);
    const auto decoded = format.decode(_mm512_load_si512(at));
    repeat<Format::kFields>([&](auto f) RSR_INLINE {
      const __m512i codes = format.template field<f>(decoded);
      const int8_t* four = x + Format::step(f, i, n) * tokens * 4;
      repeat<tokens>([&](auto t) RSR_INLINE { dot(part[st][t], codes, four + 4 * t); });
    });
  };
  const auto add_lines = [&](auto n) RSR_INLINE {
    repeat<n>([&](auto i)
                  RSR_INLINE { repeat<streams>([&](auto st) RSR_INLINE { add_line(i, n, st); }); });
  };
  for (int64_t blocks = in.count / Format::kBlockLines; blocks > 0; --blocks) {
    add_lines(Index<Format::kBlockLines>{});
    line += Format::kBlockLines * kMatvecLineBytes;
    x += Format::kBlockLines * Format::kLineCols * tokens;
  }
  add_tail<Format::kBlockLines>(in.count, add_lines);
  repeat<streams>([&](auto st) RSR_INLINE {
    repeat<tokens>([&](auto t) RSR_INLINE { sums[st][t] = part[st][t]; });
  });
}

/// The tiles tile, tile + far, ... of `streams` streams and one token tile.
template <class Format, int streams, int tokens>
void multiply_tiles(const MatvecI8& p, int64_t tile, int64_t far, int64_t token) {
  const int64_t group_lines = p.w.group_lines > 0 ? p.w.group_lines : p.w.tile_lines;
  const uint8_t* lines = p.w.lines + tile * p.w.tile_stride;
  const int8_t* x = p.x + token * p.x_cols;
  __m512 scaled[streams][tokens] = {};
  for (int64_t begin = 0, group = 0; begin < p.w.tile_lines; begin += group_lines, ++group) {
    const int64_t end = begin + group_lines < p.w.tile_lines ? begin + group_lines : p.w.tile_lines;
    __m512i total[streams][tokens] = {};
    for (int64_t at = begin; at < end; at += kMaxLines) {
      const Lines part{lines + at * kMatvecLineBytes, far * p.w.tile_stride,
                       end - at < kMaxLines ? end - at : kMaxLines,
                       x + at * Format::kLineCols * tokens, p.prefetch};
      __m512i sums[streams][tokens];
      if constexpr (tokens > 1) {
        sum_many<Format, streams, tokens>(part, sums);
      } else {
        sum_one<Format, streams>(part, sums);
      }
      for (int s = 0; s < streams; ++s) {
        for (int t = 0; t < tokens; ++t) total[s][t] = _mm512_add_epi32(total[s][t], sums[s][t]);
      }
    }
    for (int s = 0; s < streams; ++s) {
      const int64_t at = tile + s * far;
      for (int t = 0; t < tokens; ++t) {
        const __m512i correction = _mm512_set1_epi32(p.corrections[group * p.batch + token + t]);
        const __m512i sum =
            _mm512_sub_epi32(_mm512_sll_epi32(total[s][t], _mm_cvtsi32_si128(p.shift)), correction);
        if (p.w.group_lines == 0) {
          store_sums(p.out, at, token + t, sum);
          continue;
        }
        const __m512 scales =
            _mm512_loadu_ps(p.w.group_scales + (at * p.w.groups() + group) * kMatvecTileRows);
        scaled[s][t] = _mm512_add_ps(scaled[s][t], _mm512_mul_ps(_mm512_cvtepi32_ps(sum), scales));
      }
    }
  }
  if (p.w.group_lines == 0) return;
  for (int s = 0; s < streams; ++s) {
    for (int t = 0; t < tokens; ++t) {
      store_floats(p.out, tile + s * far, token + t, scaled[s][t]);
    }
  }
}

/// One token tile of `tokens` vectors. Up to four of them four streams fit into the registers; with
/// more the work is no longer waiting for memory, and two streams do. A narrower last tile after
/// wide ones is too rare for a program of its own.
template <class Format, int streams, int tokens>
void multiply_token_tile(const MatvecI8& p, int64_t tile, int64_t far, int64_t token) {
  constexpr bool kFits = streams == 1 || (streams == 4) == (tokens <= 4);
  if constexpr (kFits) {
    multiply_tiles<Format, streams, tokens>(p, tile, far, token);
  } else {
    for (int s = 0; s < streams; ++s) {
      multiply_tiles<Format, 1, tokens>(p, tile + s * far, 0, token);
    }
  }
}

/// All token tiles, by their width.
template <class Format, int streams>
void multiply_tokens(const MatvecI8& p, int64_t tile, int64_t far) {
  for (int64_t token = 0; token < p.batch; token += p.token_tile) {
    const int64_t left = p.batch - token;
    switch (left < p.token_tile ? left : p.token_tile) {
      case 1:
        multiply_token_tile<Format, streams, 1>(p, tile, far, token);
        break;
      case 2:
        multiply_token_tile<Format, streams, 2>(p, tile, far, token);
        break;
      case 3:
        multiply_token_tile<Format, streams, 3>(p, tile, far, token);
        break;
      case 4:
        multiply_token_tile<Format, streams, 4>(p, tile, far, token);
        break;
      case 5:
        multiply_token_tile<Format, streams, 5>(p, tile, far, token);
        break;
      case 6:
        multiply_token_tile<Format, streams, 6>(p, tile, far, token);
        break;
      case 7:
        multiply_token_tile<Format, streams, 7>(p, tile, far, token);
        break;
      default:
        multiply_token_tile<Format, streams, 8>(p, tile, far, token);
        break;
    }
  }
}

template <class Format>
void multiply_range(const MatvecI8& p, int64_t tile_begin, int64_t tile_end) {
  const int64_t tiles = tile_end - tile_begin;
  int64_t tile = tile_begin;
  if (p.token_tile <= 4) {
    for (const int64_t far = tiles / 4; tile < tile_begin + far; ++tile) {
      multiply_tokens<Format, 4>(p, tile, far);
    }
    tile = tile_begin + tiles / 4 * 4;
  } else {
    for (const int64_t far = tiles / 2; tile < tile_begin + far; ++tile) {
      multiply_tokens<Format, 2>(p, tile, far);
    }
    tile = tile_begin + tiles / 2 * 2;
  }
  for (; tile < tile_end; ++tile) multiply_tokens<Format, 1>(p, tile, 0);
}

}  // namespace
}  // namespace rsr::kernels
