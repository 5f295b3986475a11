#include "kernels/bytes256.h"
#include "kernels/matvec/blocks_i8.h"
#include "kernels/matvec/matvec.h"

namespace rsr::kernels {
namespace {

using V = Bytes256;
using Vector = V::Vector;

/// total[8] += sums / 2^shift (exactly).
template <int shift>
void add_sums(int32_t* total, Vector sums) {
  V::store(total, V::add32(V::load(total), V::down32<shift>(sums)));
}

/// Four fields of `bits` bits in place in four accumulators; b1 has them in each nibble.
template <int bits>
struct InPlace {
  static constexpr int kLineCols = 32 / bits;
  static constexpr int kBlockLines = 16;

  static void add(const uint8_t* line, const int8_t* x, int64_t lines, const Prefetch& ahead,
                  int32_t* total) {
    constexpr int kField = (1 << bits) - 1;
    const Vector field0 = V::all8(kField);
    const Vector field1 = V::all8(kField << bits);
    const Vector field2 = V::all8(kField << 2 * bits);
    const Vector field3 = V::all8(kField << 3 * bits);
    for (int half = 0; half < 2; ++half) {
      Vector sum0 = V::zero();
      Vector sum1 = sum0;
      Vector sum2 = sum0;
      Vector sum3 = sum0;
      const auto add_fields = [&](Vector v, const int8_t* in) {
        sum0 = _mm256_dpbusd_epi32(sum0, V::both(v, field0), V::four(in));
        sum1 = _mm256_dpbusd_epi32(sum1, V::both(v, field1), V::four(in + 4));
        sum2 = _mm256_dpbusd_epi32(sum2, V::both(v, field2), V::four(in + 8));
        sum3 = _mm256_dpbusd_epi32(sum3, V::both(v, field3), V::four(in + 12));
      };
      for (int64_t i = 0; i < lines; ++i) {
        const uint8_t* at = line + i * kMatvecLineBytes;
        if (half == 0) prefetch(at, ahead);
        const Vector v = V::load(at + half * 32);
        const int8_t* in = x + i * kLineCols;
        add_fields(v, in);
        if constexpr (bits == 1) add_fields(V::down16<4>(v), in + 16);
      }
      add_sums<0>(total + 8 * half, sum0);
      add_sums<bits>(total + 8 * half, sum1);
      add_sums<2 * bits>(total + 8 * half, sum2);
      add_sums<3 * bits>(total + 8 * half, sum3);
    }
  }
};

}  // namespace

// The tests compile this file once more for AVX-512 VL, whose dot product is the same instruction
// in another encoding, so that it is tested on machines without AVX-VNNI, too.
#ifdef RSR_EVEX_TWIN
#define matvec_t2_i8_avxvnni matvec_t2_i8_avxvnni_twin
#define matvec_b1_i8_avxvnni matvec_b1_i8_avxvnni_twin
MatvecI8Function matvec_t2_i8_avxvnni_twin, matvec_b1_i8_avxvnni_twin;
#endif

void matvec_t2_i8_avxvnni(const MatvecI8& p, int64_t tile_begin, int64_t tile_end) noexcept {
  multiply_range<InPlace<2>>(p, tile_begin, tile_end);
}

void matvec_b1_i8_avxvnni(const MatvecI8& p, int64_t tile_begin, int64_t tile_end) noexcept {
  multiply_range<InPlace<1>>(p, tile_begin, tile_end);
}

}  // namespace rsr::kernels
