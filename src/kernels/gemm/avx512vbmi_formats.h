// How lines become panels with AVX-512 VBMI and GFNI: Formats of avx512_i8.h and amx.cc, which
// asks for chunks of whole products of tiles, line by line: line `i` of a chunk of kChunkLines.
#pragma once

#include <immintrin.h>

#include "kernels/gemm/gemm.h"
#include "kernels/matvec/avx512vbmi_decode.h"
#include "kernels/repeat.h"

namespace rsr::kernels {
namespace {

struct T5 {
  static constexpr int kLineSteps = 5;
  static constexpr int kPanelLines = 24;  // whole super-blocks: 480 columns

  static constexpr int kChunkLines = 16;  // four super-blocks: five products of 64 columns
  static constexpr int kLeadLines = 12;
  static constexpr int kDelay = 1;

  void decode_line(const uint8_t* line, int i, uint8_t* chunk) const {
    decode_one(decoder, line, i % 4, 4, chunk + i / 4 * 4 * kLineSteps * kMatvecLineBytes);
  }

  T5Decoder decoder;

  /// Line i of a super-block of n: its quads, and its fifths behind the quads of all.
  static void decode_one(const T5Decoder& decoder, const uint8_t* line, int64_t i, int64_t n,
                         uint8_t* panel) {
    __m512i quads;
    __m512i fifths;
    decoder.decode(_mm512_load_si512(line), quads, fifths);
    uint8_t* out = panel + 4 * i * kMatvecLineBytes;
    _mm512_store_si512(out, bits<0, 2>(quads));
    _mm512_store_si512(out + kMatvecLineBytes, bits<2, 2>(quads));
    _mm512_store_si512(out + 2 * kMatvecLineBytes, bits<4, 2>(quads));
    _mm512_store_si512(out + 3 * kMatvecLineBytes, bits<6, 2>(quads));
    _mm512_store_si512(panel + (4 * n + i) * kMatvecLineBytes, bits<6, 2>(fifths));
  }

  static void decode(const uint8_t* lines, int64_t count, uint8_t* panel) {
    const T5Decoder decoder;
    for (int64_t i = 0; i < count; i += 4) {
      const int64_t n = count - i < 4 ? count - i : 4;
      for (int64_t j = 0; j < n; ++j) {
        decode_one(decoder, lines + (i + j) * kMatvecLineBytes, j, n,
                   panel + i * kLineSteps * kMatvecLineBytes);
      }
    }
  }
};

/// Formats whose bytes hold fields of `width` bits, lowest columns first: t2 and b1.
template <int width>
struct Fields {
  static constexpr int kLineSteps = 8 / width;
  static constexpr int kPanelLines = 128 / kLineSteps;  // 512 columns

  static constexpr int kChunkLines = 64 / kLineSteps;  // four products of 64 columns
  static constexpr int kLeadLines = kChunkLines / 2;
  static constexpr int kDelay = 0;

  void decode_line(const uint8_t* line, int i, uint8_t* chunk) const {
    decode(line, 1, chunk + i * kLineSteps * kMatvecLineBytes);
  }

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
}  // namespace rsr::kernels
