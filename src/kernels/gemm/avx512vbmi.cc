#include <immintrin.h>

#include "kernels/gemm/avx512_i8.h"
#include "kernels/gemm/gemm.h"
#include "kernels/matvec/avx512vbmi_decode.h"

namespace rsr::kernels {
namespace {

struct T5 {
  static constexpr int kLineSteps = 5;
  static constexpr int kPanelLines = 24;  // whole super-blocks: 480 columns

  /// Lines of a super-block of n: the quads of all, then their fifths.
  static void decode_block(const T5Decoder& decoder, const uint8_t* lines, int64_t n,
                           uint8_t* panel) {
    for (int64_t i = 0; i < n; ++i) {
      __m512i quads;
      __m512i fifths;
      decoder.decode(_mm512_load_si512(lines + i * kMatvecLineBytes), quads, fifths);
      uint8_t* out = panel + 4 * i * kMatvecLineBytes;
      _mm512_store_si512(out, bits<0, 2>(quads));
      _mm512_store_si512(out + kMatvecLineBytes, bits<2, 2>(quads));
      _mm512_store_si512(out + 2 * kMatvecLineBytes, bits<4, 2>(quads));
      _mm512_store_si512(out + 3 * kMatvecLineBytes, bits<6, 2>(quads));
      _mm512_store_si512(panel + (4 * n + i) * kMatvecLineBytes, bits<6, 2>(fifths));
    }
  }

  static void decode(const uint8_t* lines, int64_t count, uint8_t* panel) {
    const T5Decoder decoder;
    for (int64_t i = 0; i < count; i += 4) {
      decode_block(decoder, lines + i * kMatvecLineBytes, count - i < 4 ? count - i : 4,
                   panel + i * kLineSteps * kMatvecLineBytes);
    }
  }
};

/// Formats whose bytes hold fields of `width` bits, lowest columns first: t2 and b1.
template <int width>
struct Fields {
  static constexpr int kLineSteps = 8 / width;
  static constexpr int kPanelLines = kPanelSteps / kLineSteps;

  static void decode(const uint8_t* lines, int64_t count, uint8_t* panel) {
    for (int64_t i = 0; i < count; ++i) {
      const __m512i line = _mm512_load_si512(lines + i * kMatvecLineBytes);
      repeat<kLineSteps>([&](auto f) RSR_INLINE {
        _mm512_store_si512(panel + f * kMatvecLineBytes, bits<f * width, width>(line));
      });
      panel += kLineSteps * kMatvecLineBytes;
    }
  }
};

}  // namespace

void gemm_t5_i8_avx512vbmi(const MatvecI8& p, int64_t tile_begin, int64_t tile_end) noexcept {
  multiply_range<T5>(p, tile_begin, tile_end);
}

void gemm_t2_i8_avx512vbmi(const MatvecI8& p, int64_t tile_begin, int64_t tile_end) noexcept {
  multiply_range<Fields<2>>(p, tile_begin, tile_end);
}

void gemm_b1_i8_avx512vbmi(const MatvecI8& p, int64_t tile_begin, int64_t tile_end) noexcept {
  multiply_range<Fields<1>>(p, tile_begin, tile_end);
}

}  // namespace rsr::kernels
