// As avx512bw.cc, with gathers of eight columns.
#include <immintrin.h>

#include "kernels/slices/slices.h"

namespace rsr::kernels {
namespace {

constexpr int kAhead = 2048;

struct Places {
  __m256i low;
  __m256i high;
};

inline Places places(const uint16_t* columns) {
  _mm_prefetch(reinterpret_cast<const char*>(columns) + kAhead, _MM_HINT_T0);
  const auto* at = reinterpret_cast<const __m128i*>(columns);
  return {_mm256_cvtepu16_epi32(_mm_loadu_si128(at)),
          _mm256_cvtepu16_epi32(_mm_loadu_si128(at + 1))};
}

/// From zeros, with a mask that the compiler cannot see through: it drops a source that no lane
/// takes, and then a gather waits for the register that it happens to be given.
inline __m256i all_lanes() {
  __m256i all = _mm256_set1_epi32(-1);
  asm("" : "+x"(all));
  return all;
}
inline __m256 gather(const float* x, __m256i at) {
  return _mm256_mask_i32gather_ps(_mm256_setzero_ps(), x, at, _mm256_castsi256_ps(all_lanes()), 4);
}
inline __m256i gather(const int32_t* x, __m256i at) {
  return _mm256_mask_i32gather_epi32(_mm256_setzero_si256(), x, at, all_lanes(), 4);
}

/// sums[8] += eight floats.
inline void add(__m256 v, __m256d& low, __m256d& high) {
  low = _mm256_add_pd(low, _mm256_cvtps_pd(_mm256_castps256_ps128(v)));
  high = _mm256_add_pd(high, _mm256_cvtps_pd(_mm256_extractf128_ps(v, 1)));
}

}  // namespace

void slices_i32_avx2(const SlicesI32& p, int64_t slice_begin, int64_t slice_end) noexcept {
  uint32_t* sums = p.sums;
  for (int64_t slice = slice_begin; slice < slice_end; ++slice, sums += kSliceLanes) {
    const uint16_t* columns = p.columns + p.slice_steps[slice] * kSliceLanes;
    const uint16_t* const end = p.columns + p.slice_steps[slice + 1] * kSliceLanes;
    __m256i low = _mm256_setzero_si256();
    __m256i high = _mm256_setzero_si256();
    for (; columns != end; columns += kSliceLanes) {
      const Places at = places(columns);
      low = _mm256_add_epi32(low, gather(p.x, at.low));
      high = _mm256_add_epi32(high, gather(p.x, at.high));
    }
    _mm256_store_si256(reinterpret_cast<__m256i*>(sums), low);
    _mm256_store_si256(reinterpret_cast<__m256i*>(sums + 8), high);
  }
}

void slices_f32_avx2(const SlicesF32& p, int64_t slice_begin, int64_t slice_end) noexcept {
  double* sums = p.sums;
  for (int64_t slice = slice_begin; slice < slice_end; ++slice, sums += kSliceLanes) {
    const uint16_t* columns = p.columns + p.slice_steps[slice] * kSliceLanes;
    const uint16_t* const end = p.columns + p.slice_steps[slice + 1] * kSliceLanes;
    __m256d a = _mm256_setzero_pd();
    __m256d b = a;
    __m256d c = a;
    __m256d d = a;
    for (; columns != end; columns += kSliceLanes) {
      const Places at = places(columns);
      add(gather(p.x, at.low), a, b);
      add(gather(p.x, at.high), c, d);
    }
    _mm256_store_pd(sums, a);
    _mm256_store_pd(sums + 4, b);
    _mm256_store_pd(sums + 8, c);
    _mm256_store_pd(sums + 12, d);
  }
}

}  // namespace rsr::kernels
