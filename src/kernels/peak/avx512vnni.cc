#include <immintrin.h>

#include "kernels/peak/peak.h"

namespace rsr::kernels {

void peak_i8_avx512vnni(PeakI8& p) noexcept {
  const __m512i a = _mm512_set1_epi8(p.a);
  const __m512i b = _mm512_set1_epi8(p.b);
  __m512i sums[kPeakChains] = {};
  for (__m512i& sum : sums) __asm__("" : "+v"(sum));  // as if each began differently
  for (int64_t i = 0; i < p.rounds; ++i) {
    for (__m512i& sum : sums) sum = _mm512_dpbusd_epi32(sum, a, b);
  }
  for (__m512i& sum : sums) __asm__ volatile("" : "+v"(sum));
  p.lane = _mm512_cvtsi512_si32(sums[0]);
  p.multiply_adds = p.rounds * kPeakChains * 64;
}

}  // namespace rsr::kernels
