#include <immintrin.h>

#include "kernels/quantize/quantize.h"

namespace rsr::kernels {
namespace {

/// Lanes below `n` set, the others clear; n may be negative or above 8.
__m256i lanes_below(int64_t n) {
  const int limit = n < 0 ? 0 : n > 8 ? 8 : static_cast<int>(n);
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(limit), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

float largest_magnitude(const float* x, int64_t cols) {
  const __m256 sign = _mm256_set1_ps(-0.0f);
  __m256 most = _mm256_set1_ps(kQuantizeFloor);
  for (int64_t c = 0; c < cols; c += 8) {
    const __m256 v = _mm256_maskload_ps(x + c, lanes_below(cols - c));
    most = _mm256_max_ps(most, _mm256_andnot_ps(sign, v));
  }
  const __m128 four = _mm_max_ps(_mm256_castps256_ps128(most), _mm256_extractf128_ps(most, 1));
  const __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
}

int32_t sum_lanes(__m256i v) {
  const __m128i four = _mm_add_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
  const __m128i two = _mm_add_epi32(four, _mm_unpackhi_epi64(four, four));
  return _mm_cvtsi128_si32(_mm_add_epi32(two, _mm_shuffle_epi32(two, 1)));
}

}  // namespace

void quantize_i8_avx2(const QuantizeI8& p, int64_t token_begin, int64_t token_end) noexcept {
  // Gathers the lowest byte of each dword of a 128-bit half.
  const __m128i low_bytes =
      _mm_setr_epi8(0, 4, 8, 12, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1);
  for (int64_t t = token_begin; t < token_end; ++t) {
    const float* x = p.x + t * p.cols;
    int8_t* q = p.q + t * p.q_stride;
    const float m = largest_magnitude(x, p.cols);
    const __m256 scale = _mm256_set1_ps(127.0f / m);
    __m256i sum = _mm256_setzero_si256();
    // q_stride is a multiple of 64: whole groups of 8 are written, zeros past the columns.
    for (int64_t c = 0; c < p.q_stride; c += 8) {
      const __m256 v = _mm256_maskload_ps(c < p.cols ? x + c : x, lanes_below(p.cols - c));
      const __m256i rounded = _mm256_cvtps_epi32(_mm256_mul_ps(v, scale));
      sum = _mm256_add_epi32(sum, rounded);
      const __m128i low = _mm_shuffle_epi8(_mm256_castsi256_si128(rounded), low_bytes);
      const __m128i high = _mm_shuffle_epi8(_mm256_extracti128_si256(rounded, 1), low_bytes);
      _mm_storel_epi64(reinterpret_cast<__m128i*>(q + c), _mm_unpacklo_epi32(low, high));
    }
    p.sums[t] = sum_lanes(sum);
    p.inverse_scales[t] = m / 127.0f;
  }
}

}  // namespace rsr::kernels
