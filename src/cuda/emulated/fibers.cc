#include <algorithm>
#include <boost/context/protected_fixedsize_stack.hpp>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "cuda/emulated/block.h"

namespace rsr::cuda::emulated {
namespace {

constexpr size_t kStackBytes = size_t{1} << 18;  // AddressSanitizer's frames are wide

thread_local Block* current_block = nullptr;
thread_local Fiber* current = nullptr;

/// Gives the processor back until the barrier opens.
void wait(Waits what) {
  Fiber& fiber = *current;  // another thread of the host, with its own `current`, may go on
  fiber.waits = what;
  fiber.scheduler = std::move(fiber.scheduler).resume();
}

/// Opens the barrier of the fibers [begin, end) when all that are left stand before it. Threads
/// that have ended count as arrived, as on a GPU.
bool open(Block& block, size_t begin, size_t end, Waits what) {
  bool some = false;
  for (size_t i = begin; i < end; ++i) {
    const Waits waits = block.fibers[i]->waits;
    if (waits != what && waits != Waits::done) return false;
    some = some || waits == what;
  }
  for (size_t i = begin; i < end; ++i) {
    if (block.fibers[i]->waits == what) block.fibers[i]->waits = Waits::for_nothing;
  }
  return some;
}

/// Runs the fibers of a group that can go on, and again those whose warp's barrier opens by that.
void run_group(Block& block, const Group& group) {
  bool some = true;
  while (some) {
    for (const int i : group.order) {
      Fiber& fiber = *block.fibers[static_cast<size_t>(i)];
      if (fiber.waits != Waits::for_nothing) continue;
      current = &fiber;
      fiber.fiber = std::move(fiber.fiber).resume();
      current = nullptr;
    }
    some = false;
    for (size_t begin = group.begin; begin < group.end; begin += simt::kWarp) {
      some |= open(block, begin, begin + simt::kWarp, Waits::for_warp);
    }
  }
}

/// Runs kernels, one after the other; between them it waits to be resumed with the next one.
context::fiber endless(Fiber& fiber, context::fiber&& scheduler) {
  fiber.scheduler = std::move(scheduler);
  while (true) {
    (*fiber.kernel)();
    RSR_CHECK(fiber.copies.empty());  // on their way still: they would write into other blocks
    RSR_CHECK(fiber.has_waited);      // else the kernel could end before those in front of it
    wait(Waits::done);
  }
}

}  // namespace

std::unique_ptr<Fiber> new_fiber() {
  auto made = std::make_unique<Fiber>();
  Fiber& fiber = *made;
  fiber.fiber = context::fiber(
      std::allocator_arg, context::protected_fixedsize_stack(kStackBytes),
      [&fiber](context::fiber&& scheduler) { return endless(fiber, std::move(scheduler)); });
  return made;
}

bool run_block(Block& block) {
  current_block = &block;
  do {
    for (const Group& group : block.groups) run_group(block, group);
  } while (open(block, 0, block.fibers.size(), Waits::for_block));
  current_block = nullptr;
  return std::all_of(block.fibers.begin(), block.fibers.end(),
                     [](const Fiber* fiber) { return fiber->waits == Waits::done; });
}

}  // namespace rsr::cuda::emulated

namespace rsr::cuda::simt::host {

using emulated::current;
using emulated::current_block;
using emulated::Waits;

const Place& place() {
  return current->place;
}

void block_barrier() {
  emulated::wait(Waits::for_block);
}

void warp_barrier() {
  emulated::wait(Waits::for_warp);
}

void previous_kernel() {
  current->has_waited = true;
  if (current_block->previous_running) emulated::wait(Waits::for_previous);
}

const std::byte* exchange(const void* mine, size_t bytes) {
  const int lane = current->place.thread % kWarp;
  emulated::Warp& warp = current_block->warps[static_cast<size_t>(current->place.thread / kWarp)];
  std::byte* values = warp.values[warp.used[lane]++ % 2];
  std::memcpy(values + static_cast<size_t>(lane) * kExchangeBytes, mine, bytes);
  warp_barrier();
  return values;
}

void copy_later(void* to, const void* from) {
  RSR_CHECK(reinterpret_cast<uintptr_t>(to) % 16 == 0 &&
            reinterpret_cast<uintptr_t>(from) % 16 == 0);
  current->copies.push_back({to, from, current->batches});
}

void close_copies() {
  ++current->batches;
}

/// Copies of all batches but the `pending` latest, in order. Those of a batch that is still open
/// are not waited for, as on a GPU.
void wait_for_copies(int pending) {
  std::vector<emulated::Copy>& copies = current->copies;
  const int arrived = current->batches - pending;
  size_t done = 0;
  for (; done < copies.size() && copies[done].batch < arrived; ++done) {
    std::memcpy(copies[done].to, copies[done].from, 16);
  }
  copies.erase(copies.begin(), copies.begin() + static_cast<std::ptrdiff_t>(done));
}

void look_at(const void* at, int bytes) {
  RSR_CHECK(reinterpret_cast<uintptr_t>(at) % 16 == 0 && bytes % 16 == 0);
  const auto* from = static_cast<const volatile std::byte*>(at);
  for (int i = 0; i < bytes; ++i) static_cast<void>(from[i]);
}

}  // namespace rsr::cuda::simt::host
