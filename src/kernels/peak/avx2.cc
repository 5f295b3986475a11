#include <immintrin.h>

#include "kernels/peak/peak.h"

namespace rsr::kernels {

namespace {

// With 12, GCC keeps some accumulators in memory: 106 billion pairs a second instead of 135.
constexpr int kChains = 8;

}  // namespace

void peak_i8_avx2(PeakI8& p) noexcept {
  __m256i a = _mm256_set1_epi8(p.a);
  const __m256i b = _mm256_set1_epi8(p.b);
  const __m256i ones = _mm256_set1_epi16(1);
  __m256i sums[kChains] = {};
  for (int64_t i = 0; i < p.rounds; ++i) {
    for (__m256i& sum : sums) {
      __asm__("" : "+x"(a));  // as if a were another vector each time
      sum = _mm256_add_epi32(sum, _mm256_madd_epi16(_mm256_maddubs_epi16(a, b), ones));
    }
  }
  for (__m256i& sum : sums) __asm__ volatile("" : "+x"(sum));
  p.lane = _mm256_cvtsi256_si32(sums[0]);
  p.multiply_adds = p.rounds * kChains * 32;
}

void peak_pairs_i8_avx2(PeakI8& p) noexcept {
  __m256i a = _mm256_set1_epi8(p.a);
  const __m256i b = _mm256_set1_epi8(p.b);
  __m256i sums[kChains] = {};
  for (int64_t i = 0; i < p.rounds; ++i) {
    for (__m256i& sum : sums) {
      __asm__("" : "+x"(a));
      sum = _mm256_add_epi16(sum, _mm256_maddubs_epi16(a, b));
    }
  }
  for (__m256i& sum : sums) __asm__ volatile("" : "+x"(sum));
  p.lane = static_cast<int16_t>(_mm_cvtsi128_si32(_mm256_castsi256_si128(sums[0])));
  p.multiply_adds = p.rounds * kChains * 32;
}

void peak_f32_avx2(PeakF32& p) noexcept {
  const __m256 a = _mm256_set1_ps(p.a);
  const __m256 b = _mm256_set1_ps(p.b);
  __m256 sums[kPeakChains] = {};
  for (__m256& sum : sums) __asm__("" : "+x"(sum));  // as if each began differently
  for (int64_t i = 0; i < p.rounds; ++i) {
    for (__m256& sum : sums) sum = _mm256_fmadd_ps(a, b, sum);
  }
  for (__m256& sum : sums) __asm__ volatile("" : "+x"(sum));
  p.lane = _mm256_cvtss_f32(sums[0]);
  p.multiply_adds = p.rounds * kPeakChains * 8;
}

}  // namespace rsr::kernels
