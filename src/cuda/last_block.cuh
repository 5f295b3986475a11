// What the last of several blocks does with what all of them have left in memory: a launch of its
// own would take longer than that block waits.
#pragma once

#include "cuda/simt.h"

namespace rsr::cuda::RSR_SIMT {
namespace {

/// Whether the others of `count` blocks have called this before, so that what they had written by
/// then can be read past the first cache. Every thread calls it. `*arrived` is 0 before the kernel
/// and behind it; `is_last` lies in shared memory.
RSR_DEVICE bool is_last_block(int32_t* arrived, int count, bool& is_last) {
  simt::fence();
  simt::sync();
  if (simt::thread() == 0) {
    is_last = simt::atomic_add(arrived, 1) == count - 1;
    if (is_last) *arrived = 0;  // for the next launch
  }
  simt::sync();
  simt::fence();
  return is_last;
}

}  // namespace
}  // namespace rsr::cuda::RSR_SIMT
