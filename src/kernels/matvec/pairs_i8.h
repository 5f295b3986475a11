// t2 and b1 with int16 sums of pairs, for instruction sets without a dot product into int32:
// written once for vectors of 32 and of 64 bytes (`V`: bytes256.h, bytes512.h).
#pragma once

#include "kernels/matvec/blocks_i8.h"
#include "kernels/matvec/matvec.h"

namespace rsr::kernels {
namespace {

/// total[...] += the int16 pair sums of `pairs`, added up and divided by 2^shift (exactly).
template <class V, int shift>
void add_pairs(int32_t* total, typename V::Vector pairs) {
  V::store(total, V::add32(V::load(total), V::template down32<shift>(V::widen(pairs))));
}

template <class V>
struct T2 {
  using Vector = typename V::Vector;
  static constexpr int kLineCols = 16;
  // An int16 pair gains at most 4 * 2 * 2 * 128 = 2,048 a line: 15 * 2,048 = 30,720 < 32,768.
  static constexpr int kBlockLines = 15;

  static void add(const uint8_t* line, const int8_t* x, int64_t lines, const Prefetch& ahead,
                  int32_t* total) {
    const Vector mask = V::all8(3);
    for (int begin = 0; begin < kMatvecLineBytes; begin += V::kBytes) {
      Vector sum = V::zero();
      for (int64_t i = 0; i < lines; ++i) {
        const uint8_t* at = line + i * kMatvecLineBytes;
        if (begin == 0) prefetch(at, ahead);
        const Vector v = V::load(at + begin);
        const int8_t* in = x + i * kLineCols;
        const auto field = [&](Vector codes, const int8_t* columns) {
          sum = V::add16(sum, V::pairs(V::both(codes, mask), V::four(columns)));
        };
        field(v, in);
        field(V::template down16<2>(v), in + 4);
        field(V::template down16<4>(v), in + 8);
        field(V::template down16<6>(v), in + 12);
      }
      add_pairs<V, 0>(total + begin / 4, sum);
    }
  }
};

/// Bits 0 to 3 of both nibbles stay where they are, four scales in four accumulators: one shift
/// instead of seven.
template <class V>
struct B1 {
  using Vector = typename V::Vector;
  static constexpr int kLineCols = 32;
  // Bit 3: 2 nibbles * 2 * 8 * 128 = 4,096 a line: 7 * 4,096 = 28,672 < 32,768.
  static constexpr int kBlockLines = 7;

  static void add(const uint8_t* line, const int8_t* x, int64_t lines, const Prefetch& ahead,
                  int32_t* total) {
    const Vector bit0 = V::all8(1);
    const Vector bit1 = V::all8(2);
    const Vector bit2 = V::all8(4);
    const Vector bit3 = V::all8(8);
    for (int begin = 0; begin < kMatvecLineBytes; begin += V::kBytes) {
      Vector sum0 = V::zero();
      Vector sum1 = sum0;
      Vector sum2 = sum0;
      Vector sum3 = sum0;
      for (int64_t i = 0; i < lines; ++i) {
        const uint8_t* at = line + i * kMatvecLineBytes;
        if (begin == 0) prefetch(at, ahead);
        const Vector v = V::load(at + begin);
        const auto nibble = [&](Vector bits, const int8_t* in) {
          const auto dot = [&](Vector bit, const int8_t* columns) {
            return V::pairs(V::both(bits, bit), V::four(columns));
          };
          sum0 = V::add16(sum0, dot(bit0, in));
          sum1 = V::add16(sum1, dot(bit1, in + 4));
          sum2 = V::add16(sum2, dot(bit2, in + 8));
          sum3 = V::add16(sum3, dot(bit3, in + 12));
        };
        nibble(v, x + i * kLineCols);
        nibble(V::template down16<4>(v), x + i * kLineCols + 16);
      }
      add_pairs<V, 0>(total + begin / 4, sum0);
      add_pairs<V, 1>(total + begin / 4, sum1);
      add_pairs<V, 2>(total + begin / 4, sum2);
      add_pairs<V, 3>(total + begin / 4, sum3);
    }
  }
};

}  // namespace
}  // namespace rsr::kernels
