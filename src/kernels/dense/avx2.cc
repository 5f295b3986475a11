#include <immintrin.h>

#include "kernels/dense/dense.h"

namespace rsr::kernels {
namespace {

/// 16 bf16 as two registers of floats.
struct Wide {
  __m256 low;
  __m256 high;
};

Wide widen(const uint16_t* w) {
  const auto* p = reinterpret_cast<const __m128i*>(w);
  const __m256i low = _mm256_cvtepu16_epi32(_mm_loadu_si128(p));
  const __m256i high = _mm256_cvtepu16_epi32(_mm_loadu_si128(p + 1));
  return {_mm256_castsi256_ps(_mm256_slli_epi32(low, 16)),
          _mm256_castsi256_ps(_mm256_slli_epi32(high, 16))};
}

/// The lanes added as the contract says: l + 8, l + 4, l + 2, l + 1.
float tree(__m256 low, __m256 high) {
  const __m256 eight = _mm256_add_ps(low, high);
  const __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}

float dot(const uint16_t* w, const float* x, int64_t cols) {
  __m256 low = _mm256_setzero_ps();
  __m256 high = _mm256_setzero_ps();
  int64_t c = 0;
  for (; c + kDenseLanes <= cols; c += kDenseLanes) {
    const Wide v = widen(w + c);
    low = _mm256_add_ps(low, _mm256_mul_ps(v.low, _mm256_loadu_ps(x + c)));
    high = _mm256_add_ps(high, _mm256_mul_ps(v.high, _mm256_loadu_ps(x + c + 8)));
  }
  if (c < cols) {
    uint16_t w_tail[kDenseLanes] = {};
    float x_tail[kDenseLanes] = {};
    for (int64_t l = 0; c + l < cols; ++l) {
      w_tail[l] = w[c + l];
      x_tail[l] = x[c + l];
    }
    const Wide v = widen(w_tail);
    low = _mm256_add_ps(low, _mm256_mul_ps(v.low, _mm256_loadu_ps(x_tail)));
    high = _mm256_add_ps(high, _mm256_mul_ps(v.high, _mm256_loadu_ps(x_tail + 8)));
  }
  return tree(low, high);
}

}  // namespace

void dense_bf16_f32_avx2(const DenseBf16F32& p, int64_t row_begin, int64_t row_end) noexcept {
  for (int64_t row = row_begin; row < row_end; ++row) {
    for (int64_t t = 0; t < p.batch; ++t) {
      p.y[t * p.y_stride + row] = dot(p.w + row * p.cols, p.x + t * p.cols, p.cols);
    }
  }
}

}  // namespace rsr::kernels
