// Vectors of 64 bytes with what float inputs need besides.
#pragma once

#include <immintrin.h>

#include "kernels/gemm_tables/avx_words512.h"

namespace rsr::kernels {
namespace {

struct Floats512 : Words512 {
  using Floats = __m512;
  using Doubles = __m512d;

  static Floats zero_ps() { return _mm512_setzero_ps(); }
  static Floats load_ps(const void* p) { return _mm512_load_ps(static_cast<const float*>(p)); }
  static void store_ps(void* p, Floats v) { _mm512_store_ps(static_cast<float*>(p), v); }
  static Floats add_ps(Floats a, Floats b) { return _mm512_add_ps(a, b); }
  static Floats sub_ps(Floats a, Floats b) { return _mm512_sub_ps(a, b); }
  static Doubles load_pd(const double* p) { return _mm512_load_pd(p); }
  static void store_pd(double* p, Doubles v) { _mm512_store_pd(p, v); }
  static Doubles add_pd(Doubles a, Doubles b) { return _mm512_add_pd(a, b); }
  static Doubles sub_pd(Doubles a, Doubles b) { return _mm512_sub_pd(a, b); }
  static Doubles low_pd(Floats a) { return _mm512_cvtps_pd(_mm512_castps512_ps256(a)); }
  static Doubles high_pd(Floats a) { return _mm512_cvtps_pd(_mm512_extractf32x8_ps(a, 1)); }
  static Floats narrow_pd(Doubles low, Doubles high) {
    return _mm512_insertf32x8(_mm512_castps256_ps512(_mm512_cvtpd_ps(low)), _mm512_cvtpd_ps(high),
                              1);
  }
};

}  // namespace
}  // namespace rsr::kernels
