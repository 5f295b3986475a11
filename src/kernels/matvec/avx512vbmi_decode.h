// How AVX-512 VBMI and GFNI take apart packed lines; shared by matvec and gemm.
#pragma once

#include <immintrin.h>

#include <cstdint>

namespace rsr::kernels {
namespace {

/// The bit matrix for GF2P8AFFINEQB that moves `bits` bits of each byte, from bit `from` on, down
/// to bit 0: shift and mask in one instruction. Row j of the result is byte 7 - j of the matrix.
constexpr int64_t move_down(int from, int bits) {
  uint64_t matrix = 0;
  for (int j = 0; j < bits; ++j) matrix |= uint64_t{1} << (from + j) << 8 * (7 - j);
  return static_cast<int64_t>(matrix);
}

template <int from, int count>
__m512i bits(__m512i bytes) {
  return _mm512_gf2p8affine_epi64_epi8(bytes, _mm512_set1_epi64(move_down(from, count)), 0);
}

// The three tables of t5's decoder, by the low six bits of a byte (matrix/format.h): fields of a
// plain quad; fields, and fifth in bits 7:6, of an escaped one.
struct T5Tables {
  alignas(64) uint8_t plain[64] = {};
  alignas(64) uint8_t escaped[64] = {};
  alignas(64) uint8_t fifth[64] = {};
};
constexpr T5Tables make_tables() {
  T5Tables tables;
  for (int quad = 0; quad < 81; ++quad) {
    const auto fields =
        static_cast<uint8_t>(quad % 3 | quad / 3 % 3 << 2 | quad / 9 % 3 << 4 | quad / 27 << 6);
    if (quad < 64) {
      tables.plain[quad] = fields;
      continue;
    }
    for (int fifth = 0; fifth < 3; ++fifth) {
      tables.escaped[17 * fifth + quad - 64] = fields;
      tables.fifth[17 * fifth + quad - 64] = static_cast<uint8_t>(fifth << 6);
    }
  }
  return tables;
}
constexpr T5Tables kTables = make_tables();

struct T5Decoder {
  __m512i plain = _mm512_load_si512(kTables.plain);
  __m512i escaped = _mm512_load_si512(kTables.escaped);
  __m512i fifth = _mm512_load_si512(kTables.fifth);
  __m512i top = _mm512_set1_epi8(static_cast<char>(0xC0));

  /// The quads as bytes of t2, and a byte whose bits 7:6 are the fifth.
  __attribute__((always_inline)) void decode(__m512i line, __m512i& quads, __m512i& fifths) const {
    const __mmask64 escape = _mm512_cmpge_epu8_mask(line, top);
    quads = _mm512_permutexvar_epi8(line, plain);
    quads = _mm512_mask_permutexvar_epi8(quads, escape, line, escaped);
    fifths = _mm512_mask_permutexvar_epi8(line, escape, line, fifth);
  }
};

}  // namespace
}  // namespace rsr::kernels
