#include <immintrin.h>

#include "kernels/dense/dense.h"

namespace rsr::kernels {
namespace {

// Rows that share the loads of x and hide the latency of the additions.
constexpr int kRows = 4;

__mmask16 lanes_below(int64_t n) {
  return n >= 16 ? __mmask16{0xFFFF} : static_cast<__mmask16>((1u << n) - 1);
}

/// The lanes added as the contract says: l + 8, l + 4, l + 2, l + 1.
float tree(__m512 v) {
  const __m256 eight = _mm256_add_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps(v, 1));
  const __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}

/// 16 bf16 as floats.
struct Bf16 {
  static __m512 widen(__m256i bits) {
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bits), 16));
  }
};

/// 16 halves as floats.
struct F16 {
  static __m512 widen(__m256i bits) { return _mm512_cvtph_ps(bits); }
};

template <class Format, int rows>
void dot_rows(const uint16_t* w, const float* x, int64_t cols, float* y) {
  __m512 sums[rows];
  for (int r = 0; r < rows; ++r) sums[r] = _mm512_setzero_ps();
  for (int64_t c = 0; c < cols; c += kDenseLanes) {
    const __mmask16 lanes = lanes_below(cols - c);
    const __m512 v = _mm512_maskz_loadu_ps(lanes, x + c);
    for (int r = 0; r < rows; ++r) {
      const __m256i bits = _mm256_maskz_loadu_epi16(lanes, w + r * cols + c);
      const __m512 wide = Format::widen(bits);
      sums[r] = _mm512_add_ps(sums[r], _mm512_mul_ps(wide, v));
    }
  }
  for (int r = 0; r < rows; ++r) y[r] = tree(sums[r]);
}

template <class Format>
void rows_of(const Dense16F32& p, int64_t row_begin, int64_t row_end) {
  int64_t row = row_begin;
  for (; row + kRows <= row_end; row += kRows) {
    for (int64_t t = 0; t < p.batch; ++t) {
      dot_rows<Format, kRows>(p.w + row * p.cols, p.x + t * p.cols, p.cols,
                              p.y + t * p.y_stride + row);
    }
  }
  for (; row < row_end; ++row) {
    for (int64_t t = 0; t < p.batch; ++t) {
      dot_rows<Format, 1>(p.w + row * p.cols, p.x + t * p.cols, p.cols, p.y + t * p.y_stride + row);
    }
  }
}

}  // namespace

void dense_bf16_f32_avx512bw(const Dense16F32& p, int64_t row_begin, int64_t row_end) noexcept {
  rows_of<Bf16>(p, row_begin, row_end);
}

void dense_f16_f32_avx512bw(const Dense16F32& p, int64_t row_begin, int64_t row_end) noexcept {
  rows_of<F16>(p, row_begin, row_end);
}

}  // namespace rsr::kernels
