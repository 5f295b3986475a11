#include <algorithm>

#include "kernels/lanes/lanes.h"

namespace rsr::kernels {
namespace {

uint32_t widen(int8_t v) {
  return static_cast<uint32_t>(int32_t{v});  // NOLINT(bugprone-signed-char-misuse): a number
}
double widen(float v) {
  return v;
}

template <class X, class Sum>
void sum_blocks(const Lanes<X, Sum>& p, int64_t block_begin, int64_t block_end) {
  const int lanes = p.lines * kLanesPerLine;
  for (int64_t block = block_begin; block < block_end; ++block) {
    Sum* sums = p.sums + (block - block_begin) * lanes;
    std::fill_n(sums, lanes, Sum{});
    for (int64_t tile = p.tile_begin; tile < p.tile_end; ++tile) {
      const int64_t cell = block * p.tiles + tile;
      for (int64_t round = p.cell_rounds[cell]; round < p.cell_rounds[cell + 1]; ++round) {
        const X* x = p.x + tile * p.tile_cols + p.starts[round];
        const uint8_t* slot = p.slots + round * p.lines * kLanesLineBytes;
        for (int lane = 0; lane < lanes; ++lane) {
          for (int s = 0; s < kLanesSlots; ++s, ++slot) {
            sums[lane] += *slot == kLanesWindow ? Sum{} : widen(x[*slot]);
          }
        }
      }
    }
  }
}

}  // namespace

void lanes_i8_reference(const LanesI8& p, int64_t block_begin, int64_t block_end) noexcept {
  sum_blocks(p, block_begin, block_end);
}

void lanes_f32_reference(const LanesF32& p, int64_t block_begin, int64_t block_end) noexcept {
  sum_blocks(p, block_begin, block_end);
}

}  // namespace rsr::kernels
