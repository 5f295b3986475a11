// The threads of a block as fibers of one thread of the host.
#pragma once

#include <boost/context/fiber.hpp>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "cuda/simt.h"

namespace rsr::cuda::emulated {

namespace context = boost::context;

/// A copy that has been asked for; `batch` counts the batches closed before it.
struct Copy {
  void* to;
  const void* from;
  int batch;
};

enum class Waits : uint8_t { for_nothing, for_block, for_warp, for_previous, done };

/// One thread of the block. Its fiber is kept for the next blocks: making one takes ten times as
/// long as switching to it and back.
struct Fiber {
  context::fiber fiber;
  context::fiber scheduler;
  const std::function<void()>* kernel = nullptr;
  simt::host::Place place;
  Waits waits = Waits::for_nothing;
  bool has_waited = false;  // for the kernel in front
  std::vector<Copy> copies;
  int batches = 0;
};

/// What the lanes of a warp exchange: two sets in turn, so that a lane may lay down its next value
/// while others still read the last one.
struct Warp {
  alignas(16) std::byte values[2][simt::kWarp * simt::host::kExchangeBytes];
  int used[simt::kWarp] = {};  // exchanges of each lane so far
};

/// Whole warps of a block, of the fibers [begin, end), which run without the others as far as they
/// can.
struct Group {
  size_t begin;
  size_t end;
  std::vector<int> order;
};

struct Block {
  std::vector<Fiber*> fibers;
  std::vector<Warp> warps;
  std::vector<std::byte> shared;
  std::vector<Group> groups;      // in the order they run
  bool previous_running = false;  // the kernel in front
};

/// A fiber that waits for its first kernel.
std::unique_ptr<Fiber> new_fiber();

/// Runs all fibers that can go on, until all are done; false when some stand before barriers that
/// the others do not come to, or wait for the kernel in front.
bool run_block(Block& block);

}  // namespace rsr::cuda::emulated
