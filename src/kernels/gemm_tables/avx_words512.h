// Vectors of 64 bytes with what look-ups need besides.
#pragma once

#include <immintrin.h>

#include "kernels/bytes512.h"

namespace rsr::kernels {
namespace {

struct Words512 : Bytes512 {
  static constexpr int kShift = 6;  // of an entry's number to its offset

  static Vector load_any(const void* p) { return _mm512_loadu_si512(p); }
  static Vector everywhere(const uint8_t* sixteen) {
    return _mm512_broadcast_i32x4(_mm_load_si128(reinterpret_cast<const __m128i*>(sixteen)));
  }
  static Vector all32(uint32_t v) { return _mm512_set1_epi32(static_cast<int>(v)); }
  static Vector either(Vector a, Vector b) { return _mm512_or_si512(a, b); }
  static Vector sub16(Vector a, Vector b) { return _mm512_sub_epi16(a, b); }
  static Vector abs16(Vector a) { return _mm512_abs_epi16(a); }
  static Vector max16(Vector a, Vector b) { return _mm512_max_epi16(a, b); }
  static Vector min16(Vector a, Vector b) { return _mm512_min_epi16(a, b); }
  static Vector shuffle8(Vector table, Vector index) { return _mm512_shuffle_epi8(table, index); }
  template <int bits>
  static Vector up32(Vector a) {
    return _mm512_slli_epi32(a, bits);
  }
  template <int bits>
  static Vector down32u(Vector a) {
    return _mm512_srli_epi32(a, bits);
  }
  static Vector narrow(Vector a, Vector b) { return _mm512_packs_epi32(a, b); }
  static Vector widen_low(Vector a) { return down32<16>(_mm512_unpacklo_epi16(a, a)); }
  static Vector widen_high(Vector a) { return down32<16>(_mm512_unpackhi_epi16(a, a)); }
  static bool any_negative16(Vector a) { return _mm512_movepi16_mask(a) != 0; }
};

}  // namespace
}  // namespace rsr::kernels
