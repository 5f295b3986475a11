#include <immintrin.h>

#include "kernels/repeat.h"
#include "kernels/tables/tables.h"

namespace rsr::kernels {
namespace {

// Sign of digit j of the codes 0 to 31 (27 and up: 0).
struct Signs {
  alignas(64) float of[3][32];
};
constexpr Signs make_signs() {
  Signs signs = {};
  for (int code = 0; code < 27; ++code) {
    signs.of[0][code] = static_cast<float>(code % 3 - 1);
    signs.of[1][code] = static_cast<float>(code / 3 % 3 - 1);
    signs.of[2][code] = static_cast<float>(code / 9 % 3 - 1);
  }
  return signs;
}
constexpr Signs kSigns = make_signs();

/// Columns [first, first + count) of x, zeros beyond the matrix.
void load_columns(const TablesF32& p, int64_t first, int count, float* x) {
  for (int i = 0; i < count; i += 16) {
    const int64_t left = p.cols - first - i;
    const __mmask16 mask = left >= 16  ? __mmask16{0xFFFF}
                           : left <= 0 ? __mmask16{0}
                                       : static_cast<__mmask16>((1u << left) - 1);
    _mm512_storeu_ps(x + i, _mm512_maskz_loadu_ps(mask, p.x + first + i));
  }
}

/// Input of bit `bit` of a line's dwords, in all lanes.
template <int bit>
inline RSR_INLINE __m512 splat(const float* x) {
  return _mm512_set1_ps(x[4 * (bit % 8) + bit / 8]);
}

}  // namespace

void tables_t3_f32_avx512bw(const TablesF32& p, int64_t begin, int64_t end) noexcept {
  alignas(64) float x[32];
  for (int64_t line = begin; line < end; ++line) {
    load_columns(p, line * 18, 18, x);
    float* entry = p.tables + line * 6 * kTableFloats;
    for (int64_t group = 0; group < 6; ++group) {
      const __m512 x0 = _mm512_set1_ps(x[3 * group]);
      const __m512 x1 = _mm512_set1_ps(x[3 * group + 1]);
      const __m512 x2 = _mm512_set1_ps(x[3 * group + 2]);
      for (int half = 0; half < kTableFloats; half += 16, entry += 16) {
        const __m512 first = _mm512_mul_ps(_mm512_load_ps(kSigns.of[0] + half), x0);
        const __m512 two = _mm512_fmadd_ps(_mm512_load_ps(kSigns.of[1] + half), x1, first);
        _mm512_store_ps(entry, _mm512_fmadd_ps(_mm512_load_ps(kSigns.of[2] + half), x2, two));
      }
    }
  }
}

void tables_b1_f32_avx512bw(const TablesF32& p, int64_t begin, int64_t end) noexcept {
  const __m512 zero_bit = _mm512_set1_ps(p.signs ? -1.0f : 0.0f);
  const __m512 one_bit = _mm512_set1_ps(1.0f);
  const __m512 w0 = _mm512_mask_blend_ps(0xAAAA, zero_bit, one_bit);
  const __m512 w1 = _mm512_mask_blend_ps(0xCCCC, zero_bit, one_bit);
  const __m512 w2 = _mm512_mask_blend_ps(0xF0F0, zero_bit, one_bit);
  const __m512 w3 = _mm512_mask_blend_ps(0xFF00, zero_bit, one_bit);
  const auto four = [&](__m512 x0, __m512 x1, __m512 x2, __m512 x3) RSR_INLINE {
    const __m512 low = _mm512_fmadd_ps(w1, x1, _mm512_mul_ps(w0, x0));
    return _mm512_add_ps(low, _mm512_fmadd_ps(w3, x3, _mm512_mul_ps(w2, x2)));
  };
  alignas(64) float x[64];
  constexpr int64_t kPairFloats = 12 * kTableFloats + 16;
  float* entry = p.tables + begin * kPairFloats;
  for (int64_t pair = begin; pair < end; ++pair, entry += kPairFloats) {
    load_columns(p, pair * 64, 64, x);
    repeat<12>([&](auto group) RSR_INLINE {
      constexpr int kBit = group % 6 * 5;
      const float* line = x + group / 6 * 32;
      const __m512 sum = four(splat<kBit>(line), splat<kBit + 1>(line), splat<kBit + 2>(line),
                              splat<kBit + 3>(line));
      const __m512 last = splat<kBit + 4>(line);
      _mm512_store_ps(entry + kTableFloats * group, _mm512_fmadd_ps(zero_bit, last, sum));
      _mm512_store_ps(entry + kTableFloats * group + 16, _mm512_add_ps(sum, last));
    });
    _mm512_store_ps(entry + kPairFloats - 16,
                    four(splat<30>(x), splat<31>(x), splat<30>(x + 32), splat<31>(x + 32)));
  }
}

}  // namespace rsr::kernels
