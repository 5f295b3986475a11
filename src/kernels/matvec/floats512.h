// What the float kernels of AVX-512 share: the frame around a format, which is a struct that says
// how some lines of several tiles are added to their running sums.
#pragma once

#include <immintrin.h>

#include "kernels/matvec/floats.h"
#include "kernels/matvec/matvec.h"
#include "kernels/repeat.h"

namespace rsr::kernels {
namespace {

// Far streams, as in avx512_i8.h, share each table that is loaded. Eight at once need more
// registers than there are; so two sets of four take turns, kBlockLines lines each: the second
// finds the tables in L1, and L2 is read half as often. 4 to 15% faster from memory than one set.
constexpr int kStreams = 4;
constexpr int kSets = 2;
constexpr int64_t kBlockLines = 16;
static_assert(kBlockLines % kFloatRunLines == 0);
static_assert(kStreams * kSets == kFloatStreams);

/// Row sums in double: 8 rows each.
struct Doubles {
  __m512d low;
  __m512d high;
};

/// sums += run * scales, in double. The conversions are exact, and so is a product with scale 1.
inline void add_run(Doubles& sums, __m512 run, const float* scales) {
  const __m512d low = _mm512_cvtps_pd(_mm512_castps512_ps256(run));
  const __m512d high = _mm512_cvtps_pd(_mm512_extractf32x8_ps(run, 1));
  if (scales == nullptr) {
    sums = {_mm512_add_pd(sums.low, low), _mm512_add_pd(sums.high, high)};
    return;
  }
  const __m512d low_scales = _mm512_cvtps_pd(_mm256_loadu_ps(scales));
  const __m512d high_scales = _mm512_cvtps_pd(_mm256_loadu_ps(scales + 8));
  sums = {_mm512_add_pd(sums.low, _mm512_mul_pd(low, low_scales)),
          _mm512_add_pd(sums.high, _mm512_mul_pd(high, high_scales))};
}

inline void store(const Output& out, int64_t tile, int64_t token, const Doubles& sums) {
  const int64_t row = tile * kMatvecTileRows;
  const int64_t left = out.rows - row;
  const __mmask16 rows =
      left >= kMatvecTileRows ? __mmask16{0xFFFF} : static_cast<__mmask16>((1u << left) - 1);
  const float token_scale = out.token_scales != nullptr ? out.token_scales[token] : 1.0f;
  const __m512 scales = out.row_scales != nullptr
                            ? _mm512_maskz_loadu_ps(rows, out.row_scales + row)
                            : _mm512_set1_ps(out.scale);
  const __m512 value = _mm512_insertf32x8(_mm512_castps256_ps512(_mm512_cvtpd_ps(sums.low)),
                                          _mm512_cvtpd_ps(sums.high), 1);
  _mm512_mask_storeu_ps(out.y + token * out.stride + row, rows,
                        _mm512_mul_ps(_mm512_mul_ps(value, _mm512_set1_ps(token_scale)), scales));
}

inline RSR_INLINE void prefetch(const uint8_t* line, const Prefetch& ahead) {
  _mm_prefetch(line + ahead.near, _MM_HINT_T0);
  _mm_prefetch(line + ahead.far, _MM_HINT_T2);
}

/// One step along the columns: the first line of stream 0, and what it meets.
struct Step {
  const uint8_t* line;
  int64_t stride;  // from one stream to the next
  int64_t lines;   // lines that are left
  const float* x;
  const uint8_t* at(int stream) const { return line + stream * stride; }
};

/// Up to kFloatRunLines lines of the tiles of all streams, added up in float and then in double.
/// Inlined: as a call of its own, run by run, it costs a tenth of the speed.
template <class Format, int streams>
inline RSR_INLINE void add_run_of_lines(Step step, const Prefetch& ahead, const float* scales,
                                        int64_t scale_stride, Doubles (&sums)[streams]) {
  __m512 run[streams];
  repeat<streams>([&](auto s) RSR_INLINE { run[s] = _mm512_setzero_ps(); });
  for (; step.lines > 0; step.lines -= Format::kUnitLines) {
    Format::template add<streams>(step, ahead, run);
    step.line += Format::kUnitLines * kMatvecLineBytes;
    step.x += Format::kUnitFloats;
  }
  repeat<streams>([&](auto s) RSR_INLINE {
    add_run(sums[s], run[s], scales != nullptr ? scales + s * scale_stride : nullptr);
  });
}

/// Some lines of one group, and what they meet: their number, and that of all streams' tiles.
struct Block {
  const uint8_t* lines;
  int64_t count;
  const float* x;
  const float* scales;  // of the tile of stream 0; null without groups
};

/// A block's lines of the tiles of one set of streams, run by run.
template <class Format, int streams>
inline RSR_INLINE void add_block(const PackedMatrix& w, const Prefetch& ahead, Block block,
                                 int64_t far, Doubles (&sums)[streams]) {
  const int64_t scale_stride = far * w.groups() * kMatvecTileRows;
  for (int64_t at = 0; at < block.count; at += kFloatRunLines) {
    const int64_t left = block.count - at;
    const int64_t count = left < kFloatRunLines ? left : kFloatRunLines;
    add_run_of_lines<Format, streams>(
        {block.lines + at * kMatvecLineBytes, far * w.tile_stride, count, block.x}, ahead,
        block.scales, scale_stride, sums);
    block.x += (count + Format::kUnitLines - 1) / Format::kUnitLines * Format::kUnitFloats;
  }
}

/// The tiles `tile`, tile + far, tile + 2 far ...: sets of streams, one after the other through
/// each block of lines.
template <class Format, int streams, int sets>
void multiply_tiles(const MatvecF32& p, int64_t tile, int64_t far, int64_t token) {
  const PackedMatrix& w = p.w;
  const int64_t group_lines = w.group_lines > 0 ? w.group_lines : w.tile_lines;
  const float* x = p.x + token * p.x_stride;
  constexpr int kDivisor = sets > 1 ? Format::kNearer : 1;
  const Prefetch ahead = {p.prefetch.near / kDivisor, p.prefetch.far / kDivisor};
  Doubles sums[sets][streams];
  for (auto& set : sums) {
    for (Doubles& s : set) s = {_mm512_setzero_pd(), _mm512_setzero_pd()};
  }
  for (int64_t begin = 0, group = 0; begin < w.tile_lines; begin += group_lines, ++group) {
    const int64_t end = begin + group_lines < w.tile_lines ? begin + group_lines : w.tile_lines;
    for (int64_t at = begin; at < end; at += kBlockLines) {
      const int64_t count = end - at < kBlockLines ? end - at : kBlockLines;
      for (int64_t set = 0; set < sets; ++set) {
        const int64_t first = tile + set * streams * far;
        const float* scales = w.group_lines > 0
                                  ? w.group_scales + (first * w.groups() + group) * kMatvecTileRows
                                  : nullptr;
        add_block<Format, streams>(
            w, ahead, {w.lines + first * w.tile_stride + at * kMatvecLineBytes, count, x, scales},
            far, sums[set]);
      }
      x += (count + Format::kUnitLines - 1) / Format::kUnitLines * Format::kUnitFloats;
    }
  }
  for (int s = 0; s < sets * streams; ++s) {
    store(p.out, tile + s * far, token, sums[s / streams][s % streams]);
  }
}

/// Far streams as in avx512_i8.h; what is left of the range with fewer.
template <class Format, int streams, int sets>
void multiply_range(const MatvecF32& p, int64_t tile_begin, int64_t tile_end) {
  constexpr int64_t kAtOnce = int64_t{streams} * sets;
  const int64_t far = (tile_end - tile_begin) / kAtOnce;
  for (int64_t tile = tile_begin; tile < tile_begin + far; ++tile) {
    for (int64_t t = 0; t < p.batch; ++t) multiply_tiles<Format, streams, sets>(p, tile, far, t);
  }
  const int64_t done = tile_begin + kAtOnce * far;
  if constexpr (sets > 1) {
    multiply_range<Format, streams, sets / 2>(p, done, tile_end);
  } else if constexpr (streams > 1) {
    multiply_range<Format, streams / 2, 1>(p, done, tile_end);
  }
}

}  // namespace
}  // namespace rsr::kernels
