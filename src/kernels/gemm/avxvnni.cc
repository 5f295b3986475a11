#include <immintrin.h>

#include "kernels/gemm/blocks_i8.h"
#include "kernels/gemm/gemm.h"

namespace rsr::kernels {
namespace {

/// Two vectors of eight rows by six vectors of x: 12 accumulators of 16 registers.
struct Micro {
  static constexpr int kTokens = 6;

  template <int tokens>
  static void add(const uint8_t* panel, const int8_t* x, int64_t steps, int32_t* sums) {
    __m256i acc[tokens][2];
    auto* out = reinterpret_cast<__m256i*>(sums);
#pragma GCC unroll 6
    for (int t = 0; t < tokens; ++t) {
      acc[t][0] = out[2 * t];
      acc[t][1] = out[2 * t + 1];
    }
    for (int64_t step = 0; step < steps; ++step, panel += kMatvecLineBytes, x += 4 * tokens) {
      const __m256i low = _mm256_load_si256(reinterpret_cast<const __m256i*>(panel));
      const __m256i high = _mm256_load_si256(reinterpret_cast<const __m256i*>(panel + 32));
#pragma GCC unroll 6
      for (int t = 0; t < tokens; ++t) {
        const __m256i in = _mm256_set1_epi32(four(x + 4 * t));
        acc[t][0] = _mm256_dpbusd_epi32(acc[t][0], low, in);
        acc[t][1] = _mm256_dpbusd_epi32(acc[t][1], high, in);
      }
    }
#pragma GCC unroll 6
    for (int t = 0; t < tokens; ++t) {
      out[2 * t] = acc[t][0];
      out[2 * t + 1] = acc[t][1];
    }
  }
};

}  // namespace

// As in matvec: the tests compile this file once more for AVX-512 VL.
#ifdef RSR_EVEX_TWIN
#define gemm_t2_i8_avxvnni gemm_t2_i8_avxvnni_twin
#define gemm_b1_i8_avxvnni gemm_b1_i8_avxvnni_twin
MatvecI8Function gemm_t2_i8_avxvnni_twin, gemm_b1_i8_avxvnni_twin;
#endif

void gemm_t2_i8_avxvnni(const MatvecI8& p, int64_t tile_begin, int64_t tile_end) noexcept {
  multiply_range<Micro, 2>(p, tile_begin, tile_end);
}

void gemm_b1_i8_avxvnni(const MatvecI8& p, int64_t tile_begin, int64_t tile_end) noexcept {
  multiply_range<Micro, 1>(p, tile_begin, tile_end);
}

}  // namespace rsr::kernels
