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

/// total[...] += the int16 pair sums of `pairs`, added up and divided by 2^shift (exactly).
template <int shift>
void add_pairs(int32_t* total, Vector pairs) {
  auto* at = reinterpret_cast<Vector*>(total);
  const Vector sums = _mm256_srai_epi32(_mm256_madd_epi16(pairs, _mm256_set1_epi16(1)), shift);
  _mm256_store_si256(at, _mm256_add_epi32(_mm256_load_si256(at), sums));
}

struct T2 {
  static constexpr int kLineCols = 16;
  // An int16 pair gains at most 4 * 2 * 2 * 128 = 2,048 a line: 15 * 2,048 = 30,720 < 32,768.
  static constexpr int kBlockLines = 15;

  static void add(const uint8_t* line, const int8_t* x, int64_t lines, const Prefetch& ahead,
                  int32_t* total) {
    const Vector mask = _mm256_set1_epi8(3);
    for (int half = 0; half < 2; ++half) {
      Vector sum = _mm256_setzero_si256();
      for (int64_t i = 0; i < lines; ++i) {
        const uint8_t* at = line + i * kMatvecLineBytes;
        if (half == 0) prefetch(at, ahead);
        const Vector v = load(at + half * 32);
        const int8_t* in = x + i * kLineCols;
        const auto field = [&](Vector codes, const int8_t* columns) {
          sum = _mm256_add_epi16(
              sum, _mm256_maddubs_epi16(_mm256_and_si256(codes, mask), four(columns)));
        };
        field(v, in);
        field(_mm256_srli_epi16(v, 2), in + 4);
        field(_mm256_srli_epi16(v, 4), in + 8);
        field(_mm256_srli_epi16(v, 6), in + 12);
      }
      add_pairs<0>(total + 8 * half, sum);
    }
  }
};

/// Bits 0 to 3 of both nibbles stay where they are, four scales in four accumulators: one shift
/// instead of seven.
struct B1 {
  static constexpr int kLineCols = 32;
  // Bit 3: 2 nibbles * 2 * 8 * 128 = 4,096 a line: 7 * 4,096 = 28,672 < 32,768.
  static constexpr int kBlockLines = 7;

  static void add(const uint8_t* line, const int8_t* x, int64_t lines, const Prefetch& ahead,
                  int32_t* total) {
    const Vector bit0 = _mm256_set1_epi8(1);
    const Vector bit1 = _mm256_set1_epi8(2);
    const Vector bit2 = _mm256_set1_epi8(4);
    const Vector bit3 = _mm256_set1_epi8(8);
    for (int half = 0; half < 2; ++half) {
      Vector sum0 = _mm256_setzero_si256();
      Vector sum1 = sum0;
      Vector sum2 = sum0;
      Vector sum3 = sum0;
      for (int64_t i = 0; i < lines; ++i) {
        const uint8_t* at = line + i * kMatvecLineBytes;
        if (half == 0) prefetch(at, ahead);
        const Vector v = load(at + half * 32);
        const auto nibble = [&](Vector bits, const int8_t* in) {
          const auto dot = [&](Vector bit, const int8_t* columns) {
            return _mm256_maddubs_epi16(_mm256_and_si256(bits, bit), four(columns));
          };
          sum0 = _mm256_add_epi16(sum0, dot(bit0, in));
          sum1 = _mm256_add_epi16(sum1, dot(bit1, in + 4));
          sum2 = _mm256_add_epi16(sum2, dot(bit2, in + 8));
          sum3 = _mm256_add_epi16(sum3, dot(bit3, in + 12));
        };
        nibble(v, x + i * kLineCols);
        nibble(_mm256_srli_epi16(v, 4), x + i * kLineCols + 16);
      }
      add_pairs<0>(total + 8 * half, sum0);
      add_pairs<1>(total + 8 * half, sum1);
      add_pairs<2>(total + 8 * half, sum2);
      add_pairs<3>(total + 8 * half, sum3);
    }
  }
};

}  // namespace

void matvec_t2_i8_avx2(const MatvecI8& p, int64_t tile_begin, int64_t tile_end) noexcept {
  multiply_range<T2>(p, tile_begin, tile_end);
}

void matvec_b1_i8_avx2(const MatvecI8& p, int64_t tile_begin, int64_t tile_end) noexcept {
  multiply_range<B1>(p, tile_begin, tile_end);
}

}  // namespace rsr::kernels
