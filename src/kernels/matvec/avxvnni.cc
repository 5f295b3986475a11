#include <immintrin.h>

#include "kernels/matvec/blocks_i8.h"
#include "kernels/matvec/matvec.h"

namespace rsr::kernels {
namespace {

using Vector = __m256i;

Vector load(const uint8_t* p) {
  return _mm256_load_si256(reinterpret_cast<const __m256i*>(p));
}
Vector four(const int8_t* x) {
  return _mm256_set1_epi32(*reinterpret_cast<const int32_t*>(x));
}

/// total[8] += sums / 2^shift (exactly).
template <int shift>
void add_sums(int32_t* total, Vector sums) {
  auto* at = reinterpret_cast<Vector*>(total);
  _mm256_store_si256(at, _mm256_add_epi32(_mm256_load_si256(at), _mm256_srai_epi32(sums, shift)));
}

/// Four fields of `bits` bits in place in four accumulators; b1 has them in each nibble.
template <int bits>
struct InPlace {
  static constexpr int kLineCols = 32 / bits;
  static constexpr int kBlockLines = 16;

  static void add(const uint8_t* line, const int8_t* x, int64_t lines, const Prefetch& ahead,
                  int32_t* total) {
    constexpr int kField = (1 << bits) - 1;
    const Vector field0 = _mm256_set1_epi8(static_cast<char>(kField));
    const Vector field1 = _mm256_set1_epi8(static_cast<char>(kField << bits));
    const Vector field2 = _mm256_set1_epi8(static_cast<char>(kField << 2 * bits));
    const Vector field3 = _mm256_set1_epi8(static_cast<char>(kField << 3 * bits));
    for (int half = 0; half < 2; ++half) {
      Vector sum0 = _mm256_setzero_si256();
      Vector sum1 = sum0;
      Vector sum2 = sum0;
      Vector sum3 = sum0;
      const auto add_fields = [&](Vector v, const int8_t* in) {
        sum0 = _mm256_dpbusd_epi32(sum0, _mm256_and_si256(v, field0), four(in));
        sum1 = _mm256_dpbusd_epi32(sum1, _mm256_and_si256(v, field1), four(in + 4));
        sum2 = _mm256_dpbusd_epi32(sum2, _mm256_and_si256(v, field2), four(in + 8));
        sum3 = _mm256_dpbusd_epi32(sum3, _mm256_and_si256(v, field3), four(in + 12));
      };
      for (int64_t i = 0; i < lines; ++i) {
        const uint8_t* at = line + i * kMatvecLineBytes;
        if (half == 0) prefetch(at, ahead);
        const Vector v = load(at + half * 32);
        const int8_t* in = x + i * kLineCols;
        add_fields(v, in);
        if constexpr (bits == 1) add_fields(_mm256_srli_epi16(v, 4), in + 16);
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
