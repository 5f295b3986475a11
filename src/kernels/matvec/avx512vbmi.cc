#include <immintrin.h>

#include "kernels/matvec/avx512_formats.h"
#include "kernels/matvec/avx512_i8.h"
#include "kernels/matvec/avx512vbmi_decode.h"
#include "kernels/matvec/matvec.h"

namespace rsr::kernels {
namespace {

struct T5 : T5Decoder {
  static constexpr int kLineCols = 20;
  static constexpr int kBlockLines = 4;
  static constexpr int kParts = 5;

  /// Line i of a super-block of n.
  __attribute__((always_inline)) void add(__m512i line, const int8_t* x, int i, int n,
                                          __m512i* part) const {
    __m512i quads;
    __m512i fifths;
    T5Decoder::decode(line, quads, fifths);
    dot(part[0], _mm512_and_si512(quads, _mm512_set1_epi8(0x03)), x + 16 * i);
    dot(part[1], _mm512_and_si512(quads, _mm512_set1_epi8(0x0C)), x + 16 * i + 4);
    dot(part[2], _mm512_and_si512(quads, _mm512_set1_epi8(0x30)), x + 16 * i + 8);
    dot(part[3], _mm512_and_si512(quads, top), x + 16 * i + 12);
    dot(part[4], _mm512_and_si512(fifths, top), x + 16 * n + 4 * i);
  }

  static __m512i fold(const __m512i* part) {
    const __m512i low = _mm512_add_epi32(part[0], _mm512_srai_epi32(part[1], 2));
    const __m512i high = _mm512_srai_epi32(_mm512_add_epi32(part[3], part[4]), 6);
    return _mm512_add_epi32(low, _mm512_add_epi32(_mm512_srai_epi32(part[2], 4), high));
  }

  struct Decoded {
    __m512i quads;
    __m512i fifths;
  };
  static constexpr int kFields = 5;
  __attribute__((always_inline)) Decoded decode(__m512i line) const {
    Decoded out;
    T5Decoder::decode(line, out.quads, out.fifths);
    return out;
  }
  template <int f>
  __attribute__((always_inline)) __m512i field(const Decoded& d) const {
    if constexpr (f == 0) return _mm512_and_si512(d.quads, _mm512_set1_epi8(0x03));
    return f == 4 ? bits<6, 2>(d.fifths) : bits<2 * f % 8, 2>(d.quads);
  }
  /// Which four columns of the super-block field f of line i of n is.
  static constexpr int step(int f, int i, int n) { return f == 4 ? 4 * n + i : 4 * i + f; }
};

struct T2 : T2InPlace {
  template <int f>
  __attribute__((always_inline)) __m512i field(__m512i line) const {
    if constexpr (f == 0) return _mm512_and_si512(line, _mm512_set1_epi8(0x03));
    return bits<2 * f, 2>(line);
  }
};

struct B1 : B1InPlace {
  template <int f>
  __attribute__((always_inline)) __m512i field(__m512i line) const {
    if constexpr (f == 0) return _mm512_and_si512(line, _mm512_set1_epi8(0x01));
    return bits<f, 1>(line);
  }
};

}  // namespace

void matvec_t5_i8_avx512vbmi(const MatvecI8& p, int64_t tile_begin, int64_t tile_end) noexcept {
  multiply_range<T5>(p, tile_begin, tile_end);
}

void matvec_t2_i8_avx512vbmi(const MatvecI8& p, int64_t tile_begin, int64_t tile_end) noexcept {
  multiply_range<T2>(p, tile_begin, tile_end);
}

void matvec_b1_i8_avx512vbmi(const MatvecI8& p, int64_t tile_begin, int64_t tile_end) noexcept {
  multiply_range<B1>(p, tile_begin, tile_end);
}

}  // namespace rsr::kernels
