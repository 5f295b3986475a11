#include <immintrin.h>

#include "kernels/peak/peak.h"

namespace rsr::kernels {

void peak_i8_avx512bw(PeakI8& p) noexcept {
  __m512i a = _mm512_set1_epi8(p.a);
  const __m512i b = _mm512_set1_epi8(p.b);
  const __m512i ones = _mm512_set1_epi16(1);
  __m512i sums[kPeakChains] = {};
  for (int64_t i = 0; i < p.rounds; ++i) {
    for (__m512i& sum : sums) {
      __asm__("" : "+v"(a));  // as if a were another vector each time
      sum = _mm512_add_epi32(sum, _mm512_madd_epi16(_mm512_maddubs_epi16(a, b), ones));
    }
  }
  for (__m512i& sum : sums) __asm__ volatile("" : "+v"(sum));
  p.lane = _mm512_cvtsi512_si32(sums[0]);
  p.multiply_adds = p.rounds * kPeakChains * 64;
}

void peak_pairs_i8_avx512bw(PeakI8& p) noexcept {
  __m512i a = _mm512_set1_epi8(p.a);
  const __m512i b = _mm512_set1_epi8(p.b);
  __m512i sums[kPeakChains] = {};
  for (int64_t i = 0; i < p.rounds; ++i) {
    for (__m512i& sum : sums) {
      __asm__("" : "+v"(a));
      sum = _mm512_add_epi16(sum, _mm512_maddubs_epi16(a, b));
    }
  }
  for (__m512i& sum : sums) __asm__ volatile("" : "+v"(sum));
  p.lane = static_cast<int16_t>(_mm_cvtsi128_si32(_mm512_castsi512_si128(sums[0])));
  p.multiply_adds = p.rounds * kPeakChains * 64;
}

void peak_f32_avx512bw(PeakF32& p) noexcept {
  const __m512 a = _mm512_set1_ps(p.a);
  const __m512 b = _mm512_set1_ps(p.b);
  __m512 sums[kPeakChains] = {};
  for (__m512& sum : sums) __asm__("" : "+v"(sum));  // as if each began differently
  for (int64_t i = 0; i < p.rounds; ++i) {
    for (__m512& sum : sums) sum = _mm512_fmadd_ps(a, b, sum);
  }
  for (__m512& sum : sums) __asm__ volatile("" : "+v"(sum));
  p.lane = _mm512_cvtss_f32(sums[0]);
  p.multiply_adds = p.rounds * kPeakChains * 16;
}

}  // namespace rsr::kernels
