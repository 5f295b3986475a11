#include <immintrin.h>

#include "kernels/dense/dense.h"

namespace rsr::kernels {
namespace {

/// 8 bf16 as floats.
struct Bf16 {
  static __m256 widen(__m128i bits) {
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(bits), 16));
  }
};

/// 8 halves as floats.
struct F16 {
  static __m256 widen(__m128i bits) { return _mm256_cvtph_ps(bits); }
};

/// The lanes added as the contract says: l + 8, l + 4, l + 2, l + 1.
float tree(__m256 low, __m256 high) {
  const __m256 eight = _mm256_add_ps(low, high);
  const __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}

/// 16 products added to 16 lanes.
template <class Format>
void add_products(const uint16_t* w, const float* x, __m256& low, __m256& high) {
  const auto* bits = reinterpret_cast<const __m128i*>(w);
  const __m256 w_low = Format::widen(_mm_loadu_si128(bits));
  const __m256 w_high = Format::widen(_mm_loadu_si128(bits + 1));
  low = _mm256_add_ps(low, _mm256_mul_ps(w_low, _mm256_loadu_ps(x)));
  high = _mm256_add_ps(high, _mm256_mul_ps(w_high, _mm256_loadu_ps(x + 8)));
}

template <class Format>
float dot(const uint16_t* w, const float* x, int64_t cols) {
  __m256 low = _mm256_setzero_ps();
  __m256 high = _mm256_setzero_ps();
  int64_t c = 0;
  for (; c + kDenseLanes <= cols; c += kDenseLanes) add_products<Format>(w + c, x + c, low, high);
  if (c < cols) {
    uint16_t w_tail[kDenseLanes] = {};
    float x_tail[kDenseLanes] = {};
    for (int64_t l = 0; c + l < cols; ++l) {
      w_tail[l] = w[c + l];
      x_tail[l] = x[c + l];
    }
    add_products<Format>(w_tail, x_tail, low, high);
  }
  return tree(low, high);
}

template <class Format>
void rows_of(const Dense16F32& p, int64_t row_begin, int64_t row_end) {
  for (int64_t row = row_begin; row < row_end; ++row) {
    for (int64_t t = 0; t < p.batch; ++t) {
      p.y[t * p.y_stride + row] = dot<Format>(p.w + row * p.cols, p.x + t * p.cols, p.cols);
    }
  }
}

}  // namespace

void dense_bf16_f32_avx2(const Dense16F32& p, int64_t row_begin, int64_t row_end) noexcept {
  rows_of<Bf16>(p, row_begin, row_end);
}

void dense_f16_f32_avx2(const Dense16F32& p, int64_t row_begin, int64_t row_end) noexcept {
  rows_of<F16>(p, row_begin, row_end);
}

}  // namespace rsr::kernels
