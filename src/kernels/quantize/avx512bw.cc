#include <immintrin.h>

#include "kernels/avx512_masks.h"
#include "kernels/quantize/quantize.h"

namespace rsr::kernels {
void quantize_i8_avx512bw(const QuantizeI8& p, int64_t token_begin, int64_t token_end) noexcept {
  for (int64_t t = token_begin; t < token_end; ++t) {
    const float* x = p.x + t * p.cols;
    int8_t* q = p.q + t * p.q_stride;
    __m512 most = _mm512_set1_ps(kQuantizeFloor);
    for (int64_t c = 0; c < p.cols; c += 16) {
      const __m512 v = _mm512_maskz_loadu_ps(lanes_below(p.cols - c), x + c);
      most = _mm512_max_ps(most, _mm512_abs_ps(v));
    }
    const float m = _mm512_reduce_max_ps(most);
    const __m512 scale = _mm512_set1_ps(127.0f / m);
    __m512i sum = _mm512_setzero_si512();
    for (int64_t c = 0; c < p.q_stride; c += 16) {
      const __m512 v = _mm512_maskz_loadu_ps(lanes_below(p.cols - c), x + c);
      const __m512i rounded = _mm512_cvtps_epi32(_mm512_mul_ps(v, scale));
      sum = _mm512_add_epi32(sum, rounded);
      _mm_storeu_si128(reinterpret_cast<__m128i*>(q + c), _mm512_cvtepi32_epi8(rounded));
    }
    p.sums[t] = _mm512_reduce_add_epi32(sum);
    p.inverse_scales[t] = m / 127.0f;
  }
}

}  // namespace rsr::kernels
