// Numbers of 64 bits over the 1,024 threads of a block.
#pragma once

#include "cuda/simt.h"

namespace rsr::cuda::RSR_SIMT {
namespace {

inline constexpr int kBlockThreads = 1024;
inline constexpr int kBlockWarps = kBlockThreads / simt::kWarp;

/// In shared memory.
struct OfWarps {
  uint64_t values[kBlockWarps];
};

/// The largest, for all threads.
RSR_DEVICE uint64_t block_max(OfWarps& s, uint64_t value) {
  const auto over_warp = [](uint64_t most) {
    RSR_UNROLL
    for (int mask = simt::kWarp / 2; mask > 0; mask /= 2) {
      const uint64_t other = simt::shuffle_xor(most, mask);
      most = other > most ? other : most;
    }
    return most;
  };
  value = over_warp(value);
  simt::sync();  // what was here has been read
  if (simt::lane() == 0) s.values[simt::warp()] = value;
  simt::sync();
  return over_warp(s.values[simt::lane()]);
}

/// The values of this and all earlier lanes.
RSR_DEVICE uint64_t running_sum(uint64_t value) {
  RSR_UNROLL
  for (int by = 1; by < simt::kWarp; by *= 2) {
    const uint64_t other = simt::shuffle(value, (simt::lane() - by) & (simt::kWarp - 1));
    if (simt::lane() >= by) value += other;
  }
  return value;
}

struct BlockSums {
  uint64_t before;  // the values of earlier threads
  uint64_t total;
};
RSR_DEVICE BlockSums block_sums(OfWarps& s, uint64_t value) {
  const uint64_t of_warp = running_sum(value);
  simt::sync();  // what was here has been read
  if (simt::lane() == simt::kWarp - 1) s.values[simt::warp()] = of_warp;
  simt::sync();
  const uint64_t of_warps = running_sum(s.values[simt::lane()]);
  const uint64_t with_mine = simt::shuffle(of_warps, simt::warp());
  const uint64_t total = simt::shuffle(of_warps, kBlockWarps - 1);
  return {with_mine - s.values[simt::warp()] + of_warp - value, total};
}

static_assert(kBlockWarps == simt::kWarp);

}  // namespace
}  // namespace rsr::cuda::RSR_SIMT
