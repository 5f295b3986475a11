// Launches, block by block.
#include <algorithm>
#include <mutex>
#include <numeric>
#include <random>
#include <utility>

#include "base/check.h"
#include "cuda/emulated/block.h"
#include "cuda/emulated/fibers.h"

namespace rsr::cuda::emulated {
namespace {

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

/// Forwards all warps run beside each other, from barrier to barrier. Else each goes ahead of the
/// next as far as barriers of the block let it, which shows where one of those is missing.
std::vector<Group> groups_of(int threads, uint32_t seed) {
  const bool together = chosen_order == Order::forwards;
  const int size = together ? threads : simt::kWarp;
  std::vector<Group> groups;
  for (const int number : ordered(threads / size, seed)) {
    std::vector<int> order = ordered(size, seed + static_cast<uint32_t>(number));
    for (int& i : order) i += number * size;
    const auto begin = static_cast<size_t>(number) * static_cast<size_t>(size);
    groups.push_back({begin, begin + static_cast<size_t>(size), std::move(order)});
  }
  return groups;
}

using Fibers = std::vector<std::unique_ptr<Fiber>>;

/// Fibers that no grid uses. Never destroyed: that would unwind stacks which hold nothing.
class Pool {
 public:
  Fibers take() {
    const std::lock_guard lock(mutex_);
    if (free_.empty()) return {};
    Fibers fibers = std::move(free_.back());
    free_.pop_back();
    return fibers;
  }
  void give_back(Fibers fibers) {
    const std::lock_guard lock(mutex_);
    free_.push_back(std::move(fibers));
  }

 private:
  std::mutex mutex_;
  std::vector<Fibers> free_;
};

Pool& pool() {
  static auto* only = new Pool;
  return *only;
}

}  // namespace

class Grid::Impl {
 public:
  Impl(const simt::Launch& launch, std::function<void()> kernel)
      : launch_(launch),
        kernel_(std::move(kernel)),
        numbers_(ordered(launch.blocks_x * launch.blocks_y, 1)),
        fibers_(pool().take()) {
    while (fibers_.size() < static_cast<size_t>(launch.threads)) fibers_.push_back(new_fiber());
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl() { pool().give_back(std::move(fibers_)); }

  void start() {
    begin_block(numbers_.front());
    block_.previous_running = true;
    run_block(block_);
  }
  void finish() {
    block_.previous_running = false;
    for (Fiber* fiber : block_.fibers) {
      if (fiber->waits == Waits::for_previous) fiber->waits = Waits::for_nothing;
    }
    end_block();
    for (size_t i = 1; i < numbers_.size(); ++i) {
      begin_block(numbers_[i]);
      end_block();
    }
  }

 private:
  void begin_block(int number) {
    const auto count = static_cast<size_t>(launch_.threads);
    block_ = {.fibers = {},
              .warps = std::vector<Warp>(count / simt::kWarp),
              // Exactly as long as was asked for, and full of what no kernel may read.
              .shared = std::vector<std::byte>(launch_.shared_bytes, std::byte{0xCD}),
              .groups = groups_of(launch_.threads, static_cast<uint32_t>(number))};
    for (size_t i = 0; i < count; ++i) {
      Fiber& fiber = *fibers_[i];
      fiber.kernel = &kernel_;
      fiber.waits = Waits::for_nothing;
      fiber.has_waited = false;
      fiber.batches = 0;
      fiber.place = {static_cast<int>(i),       launch_.threads,  number % launch_.blocks_x,
                     number / launch_.blocks_x, launch_.blocks_x, block_.shared.data()};
      block_.fibers.push_back(&fiber);
    }
  }
  void end_block() {
    // Else nobody can go on: some threads of a block or warp do not come to the others' barrier.
    const bool all_came = run_block(block_);
    RSR_CHECK(all_came);
  }

  simt::Launch launch_;
  std::function<void()> kernel_;
  std::vector<int> numbers_;  // of blocks, in the order they run
  Fibers fibers_;
  Block block_;
};

void set_order(Order order) {
  chosen_order = order;
}

Grid::Grid(const simt::Launch& launch, std::function<void()> kernel) {
  RSR_CHECK(launch.threads >= 1 && launch.threads <= 1024 && launch.threads % simt::kWarp == 0);
  RSR_CHECK(launch.blocks_x >= 1 && launch.blocks_y >= 1 && launch.blocks_y <= 65535);
  impl_ = std::make_unique<Impl>(launch, std::move(kernel));
}
Grid::~Grid() = default;

void Grid::start() {
  impl_->start();
}
void Grid::finish() {
  impl_->finish();
}

}  // namespace rsr::cuda::emulated
