// As avx512bw_f32.cc, with gathers of eight lanes.
#include <immintrin.h>

#include "kernels/lanes/lanes.h"

namespace rsr::kernels {
namespace {

/// sums[8] += the slots of half a line, in order.
inline void add_half(const uint8_t* line, const float* x, double* sums) {
  const __m256i none = _mm256_set1_epi32(kLanesWindow);
  __m256i slots = _mm256_load_si256(reinterpret_cast<const __m256i*>(line));
  __m256d low = _mm256_load_pd(sums);
  __m256d high = _mm256_load_pd(sums + 4);
#pragma GCC unroll 4
  for (int s = 0; s < kLanesSlots; ++s) {
    const __m256i column = _mm256_and_si256(slots, none);
    const __m256 some = _mm256_castsi256_ps(_mm256_cmpgt_epi32(none, column));
    const __m256 v = _mm256_mask_i32gather_ps(_mm256_setzero_ps(), x, column, some, 4);
    low = _mm256_add_pd(low, _mm256_cvtps_pd(_mm256_castps256_ps128(v)));
    high = _mm256_add_pd(high, _mm256_cvtps_pd(_mm256_extractf128_ps(v, 1)));
    slots = _mm256_srli_epi32(slots, 8);
  }
  _mm256_store_pd(sums, low);
  _mm256_store_pd(sums + 4, high);
}

inline void add_round(const uint8_t* line, int lines, const float* x, double* sums) {
  for (int i = 0; i < lines; ++i, line += kLanesLineBytes, sums += kLanesPerLine) {
    _mm_prefetch(line + 1024, _MM_HINT_T0);
    add_half(line, x, sums);
    add_half(line + 32, x, sums + 8);
  }
}

}  // namespace

void lanes_f32_avx2(const LanesF32& p, int64_t block_begin, int64_t block_end) noexcept {
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
