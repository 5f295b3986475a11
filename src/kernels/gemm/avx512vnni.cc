#include <immintrin.h>

#include "kernels/gemm/avx512_i8.h"
#include "kernels/gemm/gemm.h"

namespace rsr::kernels {
namespace {

/// Formats whose bytes hold fields of `bits` bits, lowest columns first: t2 and b1.
template <int bits>
struct Fields {
  static constexpr int kLineSteps = 8 / bits;
  static constexpr int kPanelLines = kPanelSteps / kLineSteps;

  static void decode(const uint8_t* lines, int64_t count, uint8_t* panel) {
    const __m512i mask = _mm512_set1_epi8((1 << bits) - 1);
    for (int64_t i = 0; i < count; ++i) {
      const __m512i line = _mm512_load_si512(lines + i * kMatvecLineBytes);
      repeat<kLineSteps>([&](auto f) RSR_INLINE {
        const __m512i down = _mm512_srli_epi16(line, f * bits);
        _mm512_store_si512(panel + f * kMatvecLineBytes, _mm512_and_si512(down, mask));
      });
      panel += kLineSteps * kMatvecLineBytes;
    }
  }
};

}  // namespace

void gemm_t2_i8_avx512vnni(const MatvecI8& p, int64_t tile_begin, int64_t tile_end) noexcept {
  multiply_range<Fields<2>>(p, tile_begin, tile_end);
}

void gemm_b1_i8_avx512vnni(const MatvecI8& p, int64_t tile_begin, int64_t tile_end) noexcept {
  multiply_range<Fields<1>>(p, tile_begin, tile_end);
}

}  // namespace rsr::kernels
