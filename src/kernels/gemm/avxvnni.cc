#include "kernels/bytes256.h"
#include "kernels/gemm/blocks_i8.h"
#include "kernels/gemm/gemm.h"
#include "kernels/repeat.h"

namespace rsr::kernels {
namespace {

using V = Bytes256;

/// Two vectors of eight rows by six vectors of x: 12 accumulators of 16 registers.
struct Micro {
  static constexpr int kTokens = 6;

  template <int tokens>
  static void add(const uint8_t* panel, const int8_t* x, int64_t steps, int32_t* sums) {
    V::Vector acc[2 * tokens];
    repeat<2 * tokens>([&](auto i) RSR_INLINE { acc[i] = V::load(sums + 8 * i); });
    for (int64_t step = 0; step < steps; ++step, panel += kMatvecLineBytes, x += 4 * tokens) {
      const V::Vector low = V::load(panel);
      const V::Vector high = V::load(panel + 32);
      repeat<tokens>([&](auto t) RSR_INLINE {
        const V::Vector in = V::four(x + 4 * t);
        acc[2 * t] = _mm256_dpbusd_epi32(acc[2 * t], low, in);
        acc[2 * t + 1] = _mm256_dpbusd_epi32(acc[2 * t + 1], high, in);
      });
    }
    repeat<2 * tokens>([&](auto i) RSR_INLINE { V::store(sums + 8 * i, acc[i]); });
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
