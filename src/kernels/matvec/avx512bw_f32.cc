#include <immintrin.h>

#include "kernels/matvec/floats512.h"
#include "kernels/matvec/matvec.h"
#include "kernels/repeat.h"

namespace rsr::kernels {
namespace {

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

// kNearer divides the distances of prefetches where sets take turns, since each stream then moves
// on half as fast. For b1 half of them is 3 to 5% faster; for t3 the gain was no clear one.
struct T3 {
  static constexpr int kNearer = 1;
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
  static constexpr int kNearer = 2;
  static constexpr int kUnitLines = 2;
  static constexpr int kUnitFloats = kB1PairFloats;

  /// (sums of the first line + sums of the second) + those of the bits that both left over.
  template <int streams>
  static RSR_INLINE void add(const Step& step, const Prefetch& ahead, __m512 (&run)[streams]) {
    repeat<streams>([&](auto s) RSR_INLINE { prefetch(step.at(s), ahead); });
    __m512 sums[streams];
    line_sums<streams, true>(step, step.x, sums);
    const __m512 table = _mm512_load_ps(step.x + int64_t{12} * 32);
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
    line_sums<streams, true>(next, step.x + int64_t{6} * 32, second);
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
  static constexpr int kNearer = 1;
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
