#include <immintrin.h>

#include "kernels/avx512_masks.h"
#include "kernels/dense/dense.h"
#include "kernels/repeat.h"

namespace rsr::kernels {
namespace {

// Rows that share the loads of x and hide the latency of the additions. They lie far apart, as four
// streams: rows side by side are read at three quarters of the speed of memory (24 GB/s where four
// streams reach 33, two threads), since the hardware's prefetchers stop at each 4 KiB page.
constexpr int kRows = 4;
constexpr int64_t kLine = 32;  // values of a cache line
constexpr int kNear = 1024;    // bytes ahead, into L1
constexpr int kFar = 2048;     // into L2

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

/// y[r * far] of the rows w + r * far * cols.
template <class Format, int rows>
void dot_rows(const uint16_t* w, int64_t far, const float* x, int64_t cols, float* y) {
  __m512 sums[rows];
  repeat<rows>([&](auto r) RSR_INLINE { sums[r] = _mm512_setzero_ps(); });
  const int64_t stride = far * cols;
  int64_t c = 0;
  const auto add = [&](auto r, __m512 v, __m256i bits) RSR_INLINE {
    sums[r] = _mm512_add_ps(sums[r], _mm512_mul_ps(Format::widen(bits), v));
  };
  const auto step = [&](int64_t at) RSR_INLINE {
    const __m512 v = _mm512_loadu_ps(x + at);
    repeat<rows>([&](auto r) RSR_INLINE {
      add(r, v, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(w + r * stride + at)));
    });
  };
  for (; c + kLine <= cols; c += kLine) {  // a line of each row
    repeat<rows>([&](auto r) RSR_INLINE {
      const auto* at = reinterpret_cast<const char*>(w + r * stride + c);
      _mm_prefetch(at + kNear, _MM_HINT_T0);
      _mm_prefetch(at + kFar, _MM_HINT_T2);
    });
    step(c);
    step(c + kDenseLanes);
  }
  for (; c < cols; c += kDenseLanes) {
    const __mmask16 lanes = lanes_below(cols - c);
    const __m512 v = _mm512_maskz_loadu_ps(lanes, x + c);
    repeat<rows>(
        [&](auto r) RSR_INLINE { add(r, v, _mm256_maskz_loadu_epi16(lanes, w + r * stride + c)); });
  }
  repeat<rows>([&](auto r) RSR_INLINE { y[r * far] = tree(sums[r]); });
}

template <class Format>
void rows_of(const Dense16F32& p, int64_t row_begin, int64_t row_end) {
  const int64_t far = (row_end - row_begin) / kRows;
  const auto rows = [&](auto count, int64_t row) {
    for (int64_t t = 0; t < p.batch; ++t) {
      dot_rows<Format, count>(p.w + row * p.cols, far, p.x + t * p.cols, p.cols,
                              p.y + t * p.y_stride + row);
    }
  };
  for (int64_t row = row_begin; row < row_begin + far; ++row) rows(Index<kRows>{}, row);
  for (int64_t row = row_begin + kRows * far; row < row_end; ++row) rows(Index<1>{}, row);
}

}  // namespace

void dense_bf16_f32_avx512bw(const Dense16F32& p, int64_t row_begin, int64_t row_end) noexcept {
  rows_of<Bf16>(p, row_begin, row_end);
}

void dense_f16_f32_avx512bw(const Dense16F32& p, int64_t row_begin, int64_t row_end) noexcept {
  rows_of<F16>(p, row_begin, row_end);
}

}  // namespace rsr::kernels
