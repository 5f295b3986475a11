// Formats t2 and b1 for one vector, codes left in place (see sum_one in avx512_i8.h).
#pragma once

#include <immintrin.h>

#include "kernels/matvec/avx512_i8.h"

namespace rsr::kernels {
namespace {

struct T2InPlace {
  static constexpr int kLineCols = 16;
  static constexpr int kBlockLines = 1;
  static constexpr int kParts = 4;
  using Decoded = __m512i;
  static constexpr int kFields = 4;
  static __m512i decode(__m512i line) { return line; }
  static constexpr int step(int f, int i, int) { return 4 * i + f; }

  __attribute__((always_inline)) void add(__m512i line, const int8_t* x, int, int,
                                          __m512i* part) const {
    dot(part[0], _mm512_and_si512(line, _mm512_set1_epi8(0x03)), x);
    dot(part[1], _mm512_and_si512(line, _mm512_set1_epi8(0x0C)), x + 4);
    dot(part[2], _mm512_and_si512(line, _mm512_set1_epi8(0x30)), x + 8);
    dot(part[3], _mm512_and_si512(line, _mm512_set1_epi8(static_cast<char>(0xC0))), x + 12);
  }

  static __m512i fold(const __m512i* part) {
    const __m512i low = _mm512_add_epi32(part[0], _mm512_srai_epi32(part[1], 2));
    const __m512i high =
        _mm512_add_epi32(_mm512_srai_epi32(part[2], 4), _mm512_srai_epi32(part[3], 6));
    return _mm512_add_epi32(low, high);
  }
};

/// Eight fields would need eight accumulators, and four streams 32: too many. The high nibble is
/// shifted down once instead and shares the four of the low one.
struct B1InPlace {
  static constexpr int kLineCols = 32;
  static constexpr int kBlockLines = 1;
  static constexpr int kParts = 4;
  using Decoded = __m512i;
  static constexpr int kFields = 8;
  static __m512i decode(__m512i line) { return line; }
  static constexpr int step(int f, int i, int) { return 8 * i + f; }

  __attribute__((always_inline)) void add(__m512i line, const int8_t* x, int, int,
                                          __m512i* part) const {
    const __m512i high = _mm512_srli_epi16(line, 4);
    dot(part[0], _mm512_and_si512(line, _mm512_set1_epi8(0x01)), x);
    dot(part[1], _mm512_and_si512(line, _mm512_set1_epi8(0x02)), x + 4);
    dot(part[2], _mm512_and_si512(line, _mm512_set1_epi8(0x04)), x + 8);
    dot(part[3], _mm512_and_si512(line, _mm512_set1_epi8(0x08)), x + 12);
    dot(part[0], _mm512_and_si512(high, _mm512_set1_epi8(0x01)), x + 16);
    dot(part[1], _mm512_and_si512(high, _mm512_set1_epi8(0x02)), x + 20);
    dot(part[2], _mm512_and_si512(high, _mm512_set1_epi8(0x04)), x + 24);
    dot(part[3], _mm512_and_si512(high, _mm512_set1_epi8(0x08)), x + 28);
  }

  static __m512i fold(const __m512i* part) {
    const __m512i low = _mm512_add_epi32(part[0], _mm512_srai_epi32(part[1], 1));
    const __m512i high =
        _mm512_add_epi32(_mm512_srai_epi32(part[2], 2), _mm512_srai_epi32(part[3], 3));
    return _mm512_add_epi32(low, high);
  }
};

}  // namespace
}  // namespace rsr::kernels
