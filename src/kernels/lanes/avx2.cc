// A window of 255 int8 is sixteen tables of 16 bytes. A byte shuffle gives 0 where bit 7 of the
// slot is set, so that slot - 16 t, saturating, chooses "all tables up to its own": with tables
// that hold the difference (xor) to their predecessor, the xor of all shuffles is the value. Three
// instructions per table, no compare, no blend; slots from 128 on take the upper eight tables.
#include <immintrin.h>

#include "kernels/lanes/lanes.h"

namespace rsr::kernels {
namespace {

constexpr int kTables = 16;

struct Tables {
  alignas(32) uint8_t values[256];
  alignas(32) uint8_t differences[256];
};

/// The `bytes` inputs of a window, then zeros. Windows of full width are copied by overlapping
/// vectors; the values are zero at first, and stay so behind a narrower tile.
inline void load_window(const int8_t* x, int64_t bytes, Tables& t) {
  if (bytes == kLanesWindow) {
    for (int64_t i = 0; i < 224; i += 32) {
      const __m256i v = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(x + i));
      _mm256_store_si256(reinterpret_cast<__m256i*>(t.values + i), v);
    }
    const __m256i v = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(x + 223));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(t.values + 223), v);
  } else {
    for (int64_t i = 0; i < bytes; ++i) t.values[i] = static_cast<uint8_t>(x[i]);
  }
  // Tables 0 and 8 are the first of their halves: no difference.
  for (int i = 0; i < 256; i += 16) {
    __m128i v = _mm_load_si128(reinterpret_cast<const __m128i*>(t.values + i));
    if (i % 128 != 0) {
      v = _mm_xor_si128(v, _mm_load_si128(reinterpret_cast<const __m128i*>(t.values + i - 16)));
    }
    _mm_store_si128(reinterpret_cast<__m128i*>(t.differences + i), v);
  }
}

/// The values of 2 x 32 slots.
inline void look_up(const Tables& t, __m256i& a, __m256i& b) {
  const __m256i sixteen = _mm256_set1_epi8(16);
  const __m256i top = _mm256_set1_epi8(-128);
  const __m256i upper_a = _mm256_add_epi8(a, top);
  const __m256i upper_b = _mm256_add_epi8(b, top);
  __m256i value_a = _mm256_setzero_si256();
  __m256i value_b = _mm256_setzero_si256();
  for (int i = 0; i < kTables; ++i) {
    if (i == kTables / 2) {
      a = upper_a;
      b = upper_b;
    }
    const __m256i table = _mm256_broadcastsi128_si256(
        _mm_load_si128(reinterpret_cast<const __m128i*>(t.differences + 16 * i)));
    value_a = _mm256_xor_si256(value_a, _mm256_shuffle_epi8(table, a));
    value_b = _mm256_xor_si256(value_b, _mm256_shuffle_epi8(table, b));
    a = _mm256_subs_epi8(a, sixteen);
    b = _mm256_subs_epi8(b, sixteen);
  }
  a = value_a;
  b = value_b;
}

/// sums[8] += sums of four neighbouring int8.
inline void add_four(__m256i values, uint32_t* sums) {
  const __m256i pairs = _mm256_maddubs_epi16(_mm256_set1_epi8(1), values);
  const __m256i fours = _mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
  auto* at = reinterpret_cast<__m256i*>(sums);
  _mm256_store_si256(at, _mm256_add_epi32(_mm256_load_si256(at), fours));
}

inline void add_round(const uint8_t* line, int lines, const Tables& tables, uint32_t* sums) {
  for (int i = 0; i < lines; ++i, line += kLanesLineBytes, sums += kLanesPerLine) {
    _mm_prefetch(line + 1024, _MM_HINT_T0);
    __m256i a = _mm256_load_si256(reinterpret_cast<const __m256i*>(line));
    __m256i b = _mm256_load_si256(reinterpret_cast<const __m256i*>(line + 32));
    look_up(tables, a, b);
    add_four(a, sums);
    add_four(b, sums + 8);
  }
}

}  // namespace

void lanes_i8_avx2(const LanesI8& p, int64_t block_begin, int64_t block_end) noexcept {
  const int lanes = p.lines * kLanesPerLine;
  for (int64_t block = block_begin; block < block_end; ++block) {
    uint32_t* sums = p.sums + (block - block_begin) * lanes;
    for (int lane = 0; lane < lanes; ++lane) sums[lane] = 0;
    for (int64_t tile = p.tile_begin; tile < p.tile_end; ++tile) {
      const int64_t left = p.cols - tile * p.tile_cols;
      const int64_t width = left < p.tile_cols ? left : p.tile_cols;
      Tables tables = {};
      const int64_t* rounds = p.cell_rounds + block * p.tiles + tile;
      for (int64_t round = rounds[0]; round < rounds[1]; ++round) {
        const int8_t* x = p.x + tile * p.tile_cols + p.starts[round];
        load_window(x, width < kLanesWindow ? width : kLanesWindow, tables);
        add_round(p.slots + round * p.lines * kLanesLineBytes, p.lines, tables, sums);
      }
    }
  }
}

}  // namespace rsr::kernels
