// Vectors of 32 bytes with what float inputs need besides.
#pragma once

#include <immintrin.h>

#include "kernels/gemm_tables/avx_words256.h"

namespace rsr::kernels {
namespace {

struct Floats256 : Words256 {
  using Floats = __m256;
  using Doubles = __m256d;

  static Floats zero_ps() { return _mm256_setzero_ps(); }
  static Floats load_ps(const void* p) { return _mm256_load_ps(static_cast<const float*>(p)); }
  static void store_ps(void* p, Floats v) { _mm256_store_ps(static_cast<float*>(p), v); }
  static Floats add_ps(Floats a, Floats b) { return _mm256_add_ps(a, b); }
  static Floats sub_ps(Floats a, Floats b) { return _mm256_sub_ps(a, b); }
  static Doubles load_pd(const double* p) { return _mm256_load_pd(p); }
  static void store_pd(double* p, Doubles v) { _mm256_store_pd(p, v); }
  static Doubles add_pd(Doubles a, Doubles b) { return _mm256_add_pd(a, b); }
  static Doubles sub_pd(Doubles a, Doubles b) { return _mm256_sub_pd(a, b); }
  static Doubles low_pd(Floats a) { return _mm256_cvtps_pd(_mm256_castps256_ps128(a)); }
  static Doubles high_pd(Floats a) { return _mm256_cvtps_pd(_mm256_extractf128_ps(a, 1)); }
  static Floats narrow_pd(Doubles low, Doubles high) {
    return _mm256_insertf128_ps(_mm256_castps128_ps256(_mm256_cvtpd_ps(low)), _mm256_cvtpd_ps(high),
                                1);
  }
};

}  // namespace
}  // namespace rsr::kernels
