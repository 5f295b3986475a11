// The sums of lanes in double, written once for two widths (`V`: gathers256.h, gathers512.h).
//
// Floats are gathered from L1, 16 lanes at a time: tables in registers would take sixteen permutes
// for the 255 columns of a window, a gather takes about ten cycles.
#pragma once

#include "kernels/lanes/lanes.h"
#include "kernels/repeat.h"

namespace rsr::kernels {
namespace {

/// sums[V::kLanes] += the four slots of as many lanes, in order.
template <class V>
inline void add_lanes(const uint8_t* slots, const float* x, double* sums) {
  static_assert(kLanesWindow == 255, "what gather_bytes() takes for none");
  auto bytes = V::load(slots);
  auto sum = V::load(sums);
#pragma GCC unroll 4
  for (int s = 0; s < kLanesSlots; ++s) {
    V::add(sum, V::gather_bytes(x, bytes));
    bytes = V::next_bytes(bytes);
  }
  V::store(sums, sum);
}

template <class V>
inline void add_round(const uint8_t* line, int lines, const float* x, double* sums) {
  constexpr int kParts = kLanesPerLine / V::kLanes;
  for (int i = 0; i < lines; ++i, line += kLanesLineBytes, sums += kLanesPerLine) {
    _mm_prefetch(line + 1024, _MM_HINT_T0);
    repeat<kParts>([&](auto part) RSR_INLINE {
      constexpr int64_t kFirst = int64_t{part} * V::kLanes;
      add_lanes<V>(line + kFirst * kLanesSlots, x, sums + kFirst);
    });
  }
}

template <class V>
inline void sum_blocks(const LanesF32& p, int64_t block_begin, int64_t block_end) {
  const int lanes = p.lines * kLanesPerLine;
  for (int64_t block = block_begin; block < block_end; ++block) {
    double* sums = p.sums + (block - block_begin) * lanes;
    for (int lane = 0; lane < lanes; ++lane) sums[lane] = 0;
    for (int64_t tile = p.tile_begin; tile < p.tile_end; ++tile) {
      const float* x = p.x + tile * p.tile_cols;
      const int64_t* rounds = p.cell_rounds + block * p.tiles + tile;
      for (int64_t round = rounds[0]; round < rounds[1]; ++round) {
        add_round<V>(p.slots + round * p.lines * kLanesLineBytes, p.lines, x + p.starts[round],
                     sums);
      }
    }
  }
}

}  // namespace
}  // namespace rsr::kernels
