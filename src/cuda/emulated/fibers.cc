#include "cuda/emulated/fibers.h"

#include <algorithm>
#include <boost/context/fiber.hpp>
#include <boost/context/protected_fixedsize_stack.hpp>
#include <memory>
#include <mutex>
#include <numeric>
#include <random>
#include <utility>
#include <vector>

#include "base/check.h"

namespace rsr::cuda::emulated {
namespace {

namespace context = boost::context;

constexpr size_t kStackBytes = size_t{1} << 18;  // AddressSanitizer's frames are wide
constexpr size_t kLaneBytes = simt::host::kExchangeBytes;

/// A copy that has been asked for; `batch` counts the batches closed before it.
struct Copy {
  void* to;
  const void* from;
  int batch;
};

enum class Waits : uint8_t { for_nothing, for_block, for_warp, done };

/// One thread of the block. Its fiber is kept for the next blocks: making one takes ten times as
/// long as switching to it and back.
struct Fiber {
  context::fiber fiber;
  context::fiber scheduler;
  const std::function<void()>* kernel = nullptr;
  simt::host::Place place;
  Waits waits = Waits::for_nothing;
  std::vector<Copy> copies;
  int batches = 0;
};

/// What the lanes of a warp exchange: two sets in turn, so that a lane may lay down its next value
/// while others still read the last one.
struct Warp {
  alignas(16) std::byte values[2][simt::kWarp * kLaneBytes];
  int used[simt::kWarp] = {};  // exchanges of each lane so far
};

struct Block {
  std::vector<Fiber*> fibers;
  std::vector<Warp> warps;
};

thread_local Block* current_block = nullptr;
thread_local Fiber* current = nullptr;
Order chosen_order = Order::forwards;

std::vector<int> ordered(int count, uint32_t seed) {
  std::vector<int> order(static_cast<size_t>(count));
  std::iota(order.begin(), order.end(), 0);
  if (chosen_order == Order::backwards) std::reverse(order.begin(), order.end());
  if (chosen_order == Order::shuffled) {
    std::mt19937 random(seed);
    std::shuffle(order.begin(), order.end(), random);
  }
  return order;
}

/// Gives the processor back until the barrier opens.
void wait(Waits what) {
  current->waits = what;
  current->scheduler = std::move(current->scheduler).resume();
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

bool open_barriers(Block& block) {
  const size_t count = block.fibers.size();
  bool some = open(block, 0, count, Waits::for_block);
  for (size_t begin = 0; begin < count; begin += simt::kWarp) {
    some |= open(block, begin, std::min(count, begin + simt::kWarp), Waits::for_warp);
  }
  return some;
}

/// Runs kernels, one after the other; between them it waits to be resumed with the next one.
context::fiber endless(Fiber& fiber, context::fiber&& scheduler) {
  fiber.scheduler = std::move(scheduler);
  while (true) {
    (*fiber.kernel)();
    RSR_CHECK(fiber.copies.empty());  // on their way still: they would write into other blocks
    wait(Waits::done);
  }
}

using Fibers = std::vector<std::unique_ptr<Fiber>>;

/// Fibers of a thread of the host. Never destroyed: that would unwind stacks which hold nothing.
/// The list keeps them from being taken for a leak when the thread ends.
Fibers* new_fibers() {
  static std::mutex mutex;
  static auto* all = new std::vector<Fibers*>;
  const std::lock_guard lock(mutex);
  return all->emplace_back(new Fibers);
}

/// The fiber of thread `i` of a block.
Fiber& kept_fiber(size_t i) {
  thread_local Fibers* fibers = new_fibers();
  while (fibers->size() <= i) {
    fibers->push_back(std::make_unique<Fiber>());
    Fiber& fiber = *fibers->back();
    fiber.fiber = context::fiber(
        std::allocator_arg, context::protected_fixedsize_stack(kStackBytes),
        [&fiber](context::fiber&& scheduler) { return endless(fiber, std::move(scheduler)); });
  }
  return *(*fibers)[i];
}

void run_block(Block& block, uint32_t seed) {
  const std::vector<int> order = ordered(static_cast<int>(block.fibers.size()), seed);
  bool all_done = false;
  while (!all_done) {
    all_done = true;
    for (const int i : order) {
      Fiber& fiber = *block.fibers[static_cast<size_t>(i)];
      if (fiber.waits == Waits::for_nothing) {
        current = &fiber;
        fiber.fiber = std::move(fiber.fiber).resume();
        current = nullptr;
      }
      all_done = all_done && fiber.waits == Waits::done;
    }
    // Nobody can go on: some threads of a block or warp do not come to the others' barrier.
    RSR_CHECK(all_done || open_barriers(block));
  }
}

}  // namespace

void set_order(Order order) {
  chosen_order = order;
}

void run_blocks(const simt::Launch& launch, const std::function<void()>& kernel) {
  RSR_CHECK(launch.threads >= 1 && launch.threads <= 1024 && launch.threads % simt::kWarp == 0);
  RSR_CHECK(launch.blocks_x >= 1 && launch.blocks_y >= 1 && launch.blocks_y <= 65535);
  const auto count = static_cast<size_t>(launch.threads);
  const auto blocks = ordered(launch.blocks_x * launch.blocks_y, 1);
  for (const int number : blocks) {
    // New for each block: exactly as long as was asked for, and full of what no kernel may read.
    std::vector<std::byte> shared(launch.shared_bytes, std::byte{0xCD});
    Block block{{}, std::vector<Warp>(count / simt::kWarp)};
    for (size_t i = 0; i < count; ++i) {
      Fiber& fiber = kept_fiber(i);
      fiber.kernel = &kernel;
      fiber.waits = Waits::for_nothing;
      fiber.batches = 0;
      fiber.place = {static_cast<int>(i),      launch.threads,  number % launch.blocks_x,
                     number / launch.blocks_x, launch.blocks_x, shared.data()};
      block.fibers.push_back(&fiber);
    }
    current_block = &block;
    run_block(block, static_cast<uint32_t>(number));
    current_block = nullptr;
  }
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

}  // namespace rsr::cuda::simt::host
