// Rows that become columns: tokens to token vectors, and sums of rows to results of tokens.
#pragma once

#include <immintrin.h>

#include <cstdint>

#include "kernels/repeat.h"

namespace rsr::kernels {
namespace {

/// Four dwords of four rows, each row `stride` after the one before, become those of four columns.
inline RSR_INLINE void turn(const void* in, int64_t stride, void* out, int64_t out_stride) {
  const auto* from = static_cast<const int32_t*>(in);
  auto* to = static_cast<int32_t*>(out);
  __m128i row[4];
  for (int i = 0; i < 4; ++i) {
    row[i] = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from + i * stride));
  }
  const __m128i a = _mm_unpacklo_epi32(row[0], row[1]);
  const __m128i b = _mm_unpacklo_epi32(row[2], row[3]);
  const __m128i c = _mm_unpackhi_epi32(row[0], row[1]);
  const __m128i d = _mm_unpackhi_epi32(row[2], row[3]);
  const __m128i column[4] = {_mm_unpacklo_epi64(a, b), _mm_unpackhi_epi64(a, b),
                             _mm_unpacklo_epi64(c, d), _mm_unpackhi_epi64(c, d)};
  for (int i = 0; i < 4; ++i) {
    _mm_store_si128(reinterpret_cast<__m128i*>(to + i * out_stride), column[i]);
  }
}

/// Rows and columns, multiples of four, and dwords from one row to the next.
struct Sides {
  int64_t rows;
  int64_t cols;
  int64_t stride;
};

inline RSR_INLINE void turn_all(const void* in, Sides sides, void* out, int64_t out_stride) {
  for (int64_t r = 0; r < sides.rows; r += 4) {
    for (int64_t c = 0; c < sides.cols; c += 4) {
      turn(static_cast<const int32_t*>(in) + r * sides.stride + c, sides.stride,
           static_cast<int32_t*>(out) + c * out_stride + r, out_stride);
    }
  }
}

}  // namespace
}  // namespace rsr::kernels
