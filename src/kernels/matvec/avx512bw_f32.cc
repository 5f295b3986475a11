#include <immintrin.h>

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

/// Entry of each lane's code, 5 bits from bit `shift` on.
template <int shift>
inline RSR_INLINE __m512 look_up(__m512i codes, __m512 low, __m512 high) {
  return _mm512_permutex2var_ps(low, shift > 0 ? _mm512_srli_epi32(codes, shift) : codes, high);
}

/// Has `value` computed by here. Where GCC may reorder all look-ups of two lines, it keeps more
/// values than there are registers (b1: 28 spills in 8 lines' sums, 8% slower).
inline RSR_INLINE void settle(__m512& value) {
  asm volatile("" : "+v"(value));
}

/// A line's sums for the tiles of all streams: ((g0 + g1) + (g2 + g3)) + (g4 + g5), each table
/// loaded once for all streams.
template <int streams, bool settled>
inline RSR_INLINE void line_sums(const Step& step, const float* tables, __m512 (&sums)[streams]) {
  repeat<3>([&](auto pair) RSR_INLINE {
    const float* t = tables + 64 * pair;
    const __m512 low0 = _mm512_load_ps(t);
    const __m512 high0 = _mm512_load_ps(t + 16);
    const __m512 low1 = _mm512_load_ps(t + 32);
    const __m512 high1 = _mm512_load_ps(t + 48);
    repeat<streams>([&](auto s) RSR_INLINE {
      const __m512i codes = _mm512_load_si512(step.at(s));
      const __m512 two = _mm512_add_ps(look_up<10 * pair>(codes, low0, high0),
                                       look_up<10 * pair + 5>(codes, low1, high1));
      sums[s] = pair == 0 ? two : _mm512_add_ps(sums[s], two);
      if constexpr (settled) settle(sums[s]);
    });
  });
}

struct T3 {
  static constexpr int kUnitLines = 1;
  static constexpr int kUnitFloats = kT3LineFloats;

  template <int streams>
  static RSR_INLINE void add(const Step& step, const Prefetch& ahead, __m512 (&run)[streams]) {
    repeat<streams>([&](auto s) RSR_INLINE { prefetch(step.at(s), ahead); });
    __m512 sums[streams];
    line_sums<streams, false>(step, step.x, sums);
    repeat<streams>([&](auto s) RSR_INLINE { run[s] = _mm512_add_ps(run[s], sums[s]); });
  }
};

struct B1 {
  static constexpr int kUnitLines = 2;
  static constexpr int kUnitFloats = kB1PairFloats;

  /// (sums of the first line + sums of the second) + those of the bits that both left over.
  template <int streams>
  static RSR_INLINE void add(const Step& step, const Prefetch& ahead, __m512 (&run)[streams]) {
    repeat<streams>([&](auto s) RSR_INLINE { prefetch(step.at(s), ahead); });
    __m512 sums[streams];
    line_sums<streams, true>(step, step.x, sums);
    const __m512 table = _mm512_load_ps(step.x + 12 * 32);
    if (step.lines < 2) {
      repeat<streams>([&](auto s) RSR_INLINE {
        const __m512i bits = _mm512_srli_epi32(_mm512_load_si512(step.at(s)), 30);
        sums[s] = _mm512_add_ps(sums[s], _mm512_permutexvar_ps(bits, table));
        run[s] = _mm512_add_ps(run[s], sums[s]);
      });
      return;
    }
    Step next = step;
    next.line += kMatvecLineBytes;
    repeat<streams>([&](auto s) RSR_INLINE { prefetch(next.at(s), ahead); });
    __m512 second[streams];
    line_sums<streams, true>(next, step.x + 6 * 32, second);
    repeat<streams>([&](auto s) RSR_INLINE {
      const __m512i low = _mm512_srli_epi32(_mm512_load_si512(step.at(s)), 30);
      const __m512i high = _mm512_srli_epi32(_mm512_load_si512(next.at(s)), 28);
      const __m512i bits = _mm512_or_si512(low, _mm512_and_si512(high, _mm512_set1_epi32(12)));
      const __m512 both = _mm512_add_ps(sums[s], second[s]);
      run[s] = _mm512_add_ps(run[s], _mm512_add_ps(both, _mm512_permutexvar_ps(bits, table)));
      settle(run[s]);
    });
  }
};

struct T2 {
  static constexpr int kUnitLines = 1;
  static constexpr int kUnitFloats = 16;

  /// Per field of four columns a chain from 0, then (f0 + f1) + (f2 + f3).
  template <int streams>
  static RSR_INLINE void add(const Step& step, const Prefetch& ahead, __m512 (&run)[streams]) {
    // Lane i of the table is -1, 0, +1 for i % 4 = 0, 1, 2: vpermps takes the index modulo 16, so
    // the higher bits of the shifted dword must go.
    const __m512 signs = _mm512_setr_ps(-1, 0, 1, 0, -1, 0, 1, 0, -1, 0, 1, 0, -1, 0, 1, 0);
    repeat<streams>([&](auto s) RSR_INLINE {
      prefetch(step.at(s), ahead);
      const __m512i codes = _mm512_load_si512(step.at(s));
      __m512 field[4];
      repeat<4>([&](auto f) RSR_INLINE {
        field[f] = _mm512_setzero_ps();
        repeat<4>([&](auto b) RSR_INLINE {
          const __m512i code =
              _mm512_and_si512(_mm512_srli_epi32(codes, 8 * b + 2 * f), _mm512_set1_epi32(3));
          field[f] = _mm512_fmadd_ps(_mm512_permutexvar_ps(code, signs),
                                     _mm512_set1_ps(step.x[4 * f + b]), field[f]);
        });
      });
      const __m512 sum =
          _mm512_add_ps(_mm512_add_ps(field[0], field[1]), _mm512_add_ps(field[2], field[3]));
      run[s] = _mm512_add_ps(run[s], sum);
    });
  }
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
  Doubles sums[sets][streams];
  for (auto& set : sums) {
    for (Doubles& s : set) s = {_mm512_setzero_pd(), _mm512_setzero_pd()};
  }
  for (int64_t begin = 0, group = 0; begin < w.tile_lines; begin += group_lines, ++group) {
    const int64_t end = begin + group_lines < w.tile_lines ? begin + group_lines : w.tile_lines;
    for (int64_t at = begin; at < end; at += kBlockLines) {
      const int64_t count = end - at < kBlockLines ? end - at : kBlockLines;
      for (int set = 0; set < sets; ++set) {
        const int64_t first = tile + set * streams * far;
        const float* scales = w.group_lines > 0
                                  ? w.group_scales + (first * w.groups() + group) * kMatvecTileRows
                                  : nullptr;
        add_block<Format, streams>(
            w, p.prefetch,
            {w.lines + first * w.tile_stride + at * kMatvecLineBytes, count, x, scales}, far,
            sums[set]);
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
  const int64_t far = (tile_end - tile_begin) / (streams * sets);
  for (int64_t tile = tile_begin; tile < tile_begin + far; ++tile) {
    for (int64_t t = 0; t < p.batch; ++t) multiply_tiles<Format, streams, sets>(p, tile, far, t);
  }
  const int64_t done = tile_begin + streams * sets * far;
  if constexpr (sets > 1) {
    multiply_range<Format, streams, sets / 2>(p, done, tile_end);
  } else if constexpr (streams > 1) {
    multiply_range<Format, streams / 2, 1>(p, done, tile_end);
  }
}

}  // namespace

void matvec_t3_f32_avx512bw(const MatvecF32& p, int64_t tile_begin, int64_t tile_end) noexcept {
  multiply_range<T3, kStreams, kSets>(p, tile_begin, tile_end);
}

void matvec_b1_f32_avx512bw(const MatvecF32& p, int64_t tile_begin, int64_t tile_end) noexcept {
  multiply_range<B1, kStreams, kSets>(p, tile_begin, tile_end);
}

void matvec_t2_f32_avx512bw(const MatvecF32& p, int64_t tile_begin, int64_t tile_end) noexcept {
  multiply_range<T2, kStreams, 1>(p, tile_begin, tile_end);
}

}  // namespace rsr::kernels
