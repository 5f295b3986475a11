// Vectors of 32 bytes with what look-ups need besides.
#pragma once

#include <immintrin.h>

#include "kernels/bytes256.h"

namespace rsr::kernels {
namespace {

struct Words256 : Bytes256 {
  static constexpr int kShift = 5;  // of an entry's number to its offset

  static Vector load_any(const void* p) {
    return _mm256_loadu_si256(static_cast<const Vector*>(p));
  }
  static Vector everywhere(const uint8_t* sixteen) {
    return _mm256_broadcastsi128_si256(_mm_load_si128(reinterpret_cast<const __m128i*>(sixteen)));
  }
  static Vector all32(uint32_t v) { return _mm256_set1_epi32(static_cast<int>(v)); }
  static Vector either(Vector a, Vector b) { return _mm256_or_si256(a, b); }
  static Vector sub16(Vector a, Vector b) { return _mm256_sub_epi16(a, b); }
  static Vector abs16(Vector a) { return _mm256_abs_epi16(a); }
  static Vector max16(Vector a, Vector b) { return _mm256_max_epi16(a, b); }
  static Vector min16(Vector a, Vector b) { return _mm256_min_epi16(a, b); }
  static Vector shuffle8(Vector table, Vector index) { return _mm256_shuffle_epi8(table, index); }
  template <int bits>
  static Vector up32(Vector a) {
    return _mm256_slli_epi32(a, bits);
  }
  template <int bits>
  static Vector down32u(Vector a) {
    return _mm256_srli_epi32(a, bits);
  }
  static Vector narrow(Vector a, Vector b) { return _mm256_packs_epi32(a, b); }
  static Vector widen_low(Vector a) { return down32<16>(_mm256_unpacklo_epi16(a, a)); }
  static Vector widen_high(Vector a) { return down32<16>(_mm256_unpackhi_epi16(a, a)); }
  static bool any_negative16(Vector a) {
    return (_mm256_movemask_epi8(a) & static_cast<int>(0xAAAAAAAA)) != 0;
  }
};

}  // namespace
}  // namespace rsr::kernels
