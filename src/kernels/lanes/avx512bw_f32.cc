// Floats are gathered from L1, 16 lanes at a time: tables in registers would take sixteen permutes
// for the 255 columns of a window, a gather takes about ten cycles. Sums are double.
#include <immintrin.h>

#include "kernels/lanes/lanes.h"

namespace rsr::kernels {
namespace {

/// sums[16] += the slots of one line, in order.
inline void add_line(const uint8_t* line, const float* x, __m512d& low, __m512d& high) {
  const __m512i none = _mm512_set1_epi32(kLanesWindow);
  __m512i slots = _mm512_load_si512(line);
#pragma GCC unroll 4
  for (int s = 0; s < kLanesSlots; ++s) {
    const __m512i column = _mm512_and_si512(slots, none);
    const __mmask16 some = _mm512_cmpneq_epi32_mask(column, none);
    const __m512 v = _mm512_mask_i32gather_ps(_mm512_setzero_ps(), some, column, x, 4);
    low = _mm512_add_pd(low, _mm512_cvtps_pd(_mm512_castps512_ps256(v)));
    high = _mm512_add_pd(high, _mm512_cvtps_pd(_mm512_extractf32x8_ps(v, 1)));
    slots = _mm512_srli_epi32(slots, 8);
  }
}

inline void add_round(const uint8_t* line, int lines, const float* x, double* sums) {
  for (int i = 0; i < lines; ++i, line += kLanesLineBytes, sums += kLanesPerLine) {
    _mm_prefetch(line + 1024, _MM_HINT_T0);
    __m512d low = _mm512_load_pd(sums);
    __m512d high = _mm512_load_pd(sums + 8);
    add_line(line, x, low, high);
    _mm512_store_pd(sums, low);
    _mm512_store_pd(sums + 8, high);
  }
}

}  // namespace

void lanes_f32_avx512bw(const LanesF32& p, int64_t block_begin, int64_t block_end) noexcept {
  const int lanes = p.lines * kLanesPerLine;
  for (int64_t block = block_begin; block < block_end; ++block) {
    double* sums = p.sums + (block - block_begin) * lanes;
    for (int lane = 0; lane < lanes; ++lane) sums[lane] = 0;
    for (int64_t tile = p.tile_begin; tile < p.tile_end; ++tile) {
      const float* x = p.x + tile * p.tile_cols;
      const int64_t* rounds = p.cell_rounds + block * p.tiles + tile;
      for (int64_t round = rounds[0]; round < rounds[1]; ++round) {
        add_round(p.slots + round * p.lines * kLanesLineBytes, p.lines, x + p.starts[round], sums);
      }
    }
  }
}

}  // namespace rsr::kernels
