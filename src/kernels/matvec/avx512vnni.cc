#include <immintrin.h>

#include "kernels/matvec/avx512_formats.h"
#include "kernels/matvec/avx512_i8.h"
#include "kernels/matvec/matvec.h"

namespace rsr::kernels {
namespace {

template <int from>
__m512i bits(__m512i bytes, int mask) {
  const __m512i down = from > 0 ? _mm512_srli_epi16(bytes, from) : bytes;
  return _mm512_and_si512(down, _mm512_set1_epi8(static_cast<char>(mask)));
}

struct T2 : T2InPlace {
  template <int f>
  __attribute__((always_inline)) __m512i field(__m512i line) const {
    return bits<2 * f>(line, 0x03);
  }
};

struct B1 : B1InPlace {
  template <int f>
  __attribute__((always_inline)) __m512i field(__m512i line) const {
    return bits<f>(line, 0x01);
  }
};

}  // namespace

void matvec_t2_i8_avx512vnni(const MatvecI8& p, int64_t tile_begin, int64_t tile_end) noexcept {
  multiply_range<T2>(p, tile_begin, tile_end);
}

void matvec_b1_i8_avx512vnni(const MatvecI8& p, int64_t tile_begin, int64_t tile_end) noexcept {
  multiply_range<B1>(p, tile_begin, tile_end);
}

}  // namespace rsr::kernels
