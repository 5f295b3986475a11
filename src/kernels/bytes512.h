// Vectors of 64 bytes: what the kernels that are written once for two widths call.
#pragma once

#include <immintrin.h>

#include <cstdint>

namespace rsr::kernels {
namespace {

struct Bytes512 {
  using Vector = __m512i;
  static constexpr int kBytes = 64;

  static Vector zero() { return _mm512_setzero_si512(); }
  static Vector load(const void* p) { return _mm512_load_si512(static_cast<const Vector*>(p)); }
  static void store(void* p, Vector v) { _mm512_store_si512(static_cast<Vector*>(p), v); }
  static Vector all8(int v) { return _mm512_set1_epi8(static_cast<char>(v)); }
  static Vector all16(int v) { return _mm512_set1_epi16(static_cast<short>(v)); }
  /// Four columns of x in every dword.
  static Vector four(const int8_t* x) {
    int32_t dword;
    __builtin_memcpy(&dword, x, sizeof dword);
    return _mm512_set1_epi32(dword);
  }
  static Vector both(Vector a, Vector b) { return _mm512_and_si512(a, b); }
  static Vector add16(Vector a, Vector b) { return _mm512_add_epi16(a, b); }
  static Vector add32(Vector a, Vector b) { return _mm512_add_epi32(a, b); }
  template <int bits>
  static Vector down16(Vector a) {
    return _mm512_srli_epi16(a, bits);
  }
  template <int bits>
  static Vector down32(Vector a) {
    return _mm512_srai_epi32(a, bits);
  }
  /// int16 sums of two products each: unsigned codes times signed x.
  static Vector pairs(Vector codes, Vector x) { return _mm512_maddubs_epi16(codes, x); }
  /// int32 sums of two int16 each.
  static Vector widen(Vector a) { return _mm512_madd_epi16(a, all16(1)); }
};

}  // namespace
}  // namespace rsr::kernels
