#include <immintrin.h>

#include "kernels/gemm/blocks_i8.h"
#include "kernels/gemm/gemm.h"

namespace rsr::kernels {
namespace {

using Vector = __m256i;

/// int16 sums of pairs, emptied into int32 before they overflow: a pair gains at most 2 * 2 * 128
/// in a step, 60 * 512 = 30,720.
struct Micro {
  static constexpr int kTokens = 4;
  static constexpr int kParts = 2;  // vectors of a step's 64 bytes
  static constexpr int64_t kRunSteps = 60;

  template <int tokens>
  static void add_run(const uint8_t* panel, const int8_t* x, int64_t steps, int32_t* sums) {
    Vector pairs[tokens][kParts];
#pragma GCC unroll 8
    for (int t = 0; t < tokens; ++t) {
#pragma GCC unroll 2
      for (int i = 0; i < kParts; ++i) pairs[t][i] = _mm256_setzero_si256();
    }
    for (int64_t step = 0; step < steps; ++step, panel += kMatvecLineBytes, x += 4 * tokens) {
      Vector codes[kParts];
#pragma GCC unroll 2
      for (int i = 0; i < kParts; ++i) {
        codes[i] = _mm256_load_si256(reinterpret_cast<const Vector*>(panel + i * sizeof(Vector)));
      }
#pragma GCC unroll 8
      for (int t = 0; t < tokens; ++t) {
        const Vector in = _mm256_set1_epi32(four(x + 4 * t));
#pragma GCC unroll 2
        for (int i = 0; i < kParts; ++i) {
          pairs[t][i] = _mm256_add_epi16(pairs[t][i], _mm256_maddubs_epi16(codes[i], in));
        }
      }
    }
    const Vector ones = _mm256_set1_epi16(1);
#pragma GCC unroll 8
    for (int t = 0; t < tokens; ++t) {
#pragma GCC unroll 2
      for (int i = 0; i < kParts; ++i) {
        auto* at = reinterpret_cast<Vector*>(sums + t * kMatvecTileRows) + i;
        *at = _mm256_add_epi32(*at, _mm256_madd_epi16(pairs[t][i], ones));
      }
    }
  }

  template <int tokens>
  static void add(const uint8_t* panel, const int8_t* x, int64_t steps, int32_t* sums) {
    for (int64_t step = 0; step < steps; step += kRunSteps) {
      add_run<tokens>(panel + step * kMatvecLineBytes, x + step * 4 * tokens,
                      steps - step < kRunSteps ? steps - step : kRunSteps, sums);
    }
  }
};

}  // namespace

void gemm_t2_i8_avx2(const MatvecI8& p, int64_t tile_begin, int64_t tile_end) noexcept {
  multiply_range<Micro, 2>(p, tile_begin, tile_end);
}

void gemm_b1_i8_avx2(const MatvecI8& p, int64_t tile_begin, int64_t tile_end) noexcept {
  multiply_range<Micro, 1>(p, tile_begin, tile_end);
}

}  // namespace rsr::kernels
