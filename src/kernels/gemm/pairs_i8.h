// The micro-kernel with int16 sums of pairs, for instruction sets without a dot product into int32:
// written once for vectors of 32 and of 64 bytes (`V`: bytes256.h, bytes512.h).
#pragma once

#include "kernels/gemm/blocks_i8.h"
#include "kernels/gemm/gemm.h"
#include "kernels/repeat.h"

namespace rsr::kernels {
namespace {

/// The int16 sums are emptied into int32 before they overflow: a pair gains at most 2 * 2 * 128 in
/// a step, 60 * 512 = 30,720. `most` vectors of x at once: eight accumulators.
template <class V, int most>
struct PairsMicro {
  using Vector = typename V::Vector;
  static constexpr int kTokens = most;
  static constexpr int kParts = kMatvecLineBytes / V::kBytes;  // vectors of a step
  static constexpr int64_t kRunSteps = 60;

  template <int tokens>
  static void add_run(const uint8_t* panel, const int8_t* x, int64_t steps, int32_t* sums) {
    constexpr int kSums = tokens * kParts;
    Vector pairs[kSums];
    repeat<kSums>([&](auto i) RSR_INLINE { pairs[i] = V::zero(); });
    for (int64_t step = 0; step < steps; ++step, panel += kMatvecLineBytes, x += 4 * tokens) {
      Vector codes[kParts];
      repeat<kParts>([&](auto i) RSR_INLINE { codes[i] = V::load(panel + i * V::kBytes); });
      repeat<tokens>([&](auto t) RSR_INLINE {
        const Vector in = V::four(x + 4 * t);
        repeat<kParts>([&](auto i) RSR_INLINE {
          Vector& sum = pairs[t * kParts + i];
          sum = V::add16(sum, V::pairs(codes[i], in));
        });
      });
    }
    repeat<kSums>([&](auto i) RSR_INLINE {
      int32_t* at = sums + i * (V::kBytes / 4);
      V::store(at, V::add32(V::load(at), V::widen(pairs[i])));
    });
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
}  // namespace rsr::kernels
