#include <immintrin.h>

#include "kernels/peak/peak.h"

namespace rsr::kernels {

void peak_i8_avxvnni(PeakI8& p) noexcept {
  const __m256i a = _mm256_set1_epi8(p.a);
  const __m256i b = _mm256_set1_epi8(p.b);
  __m256i sums[kPeakChains] = {};
  for (__m256i& sum : sums) __asm__("" : "+x"(sum));  // as if each began differently
  for (int64_t i = 0; i < p.rounds; ++i) {
    for (__m256i& sum : sums) sum = _mm256_dpbusd_avx_epi32(sum, a, b);
  }
  for (__m256i& sum : sums) __asm__ volatile("" : "+x"(sum));
  p.lane = _mm256_cvtsi256_si32(sums[0]);
  p.multiply_adds = p.rounds * kPeakChains * 32;
}

}  // namespace rsr::kernels
