// Runs kernels written in simt.h on the host: every block, fiber by fiber.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "cuda/simt.h"

namespace rsr::cuda::emulated {

/// In which order the fibers of a block run between barriers. A kernel that is right gives the same
/// results in each.
enum class Order : uint8_t { forwards, backwards, shuffled };
void set_order(Order order);

/// A launch on its way: `kernel` is called once for every thread of every block. Blocks run one
/// after the other, in the same order as their fibers.
class Grid {
 public:
  Grid(const simt::Launch& launch, std::function<void()> kernel);
  ~Grid();
  Grid(const Grid&) = delete;
  Grid& operator=(const Grid&) = delete;

  /// The first block, up to wait_for_previous(): as if the kernel in front were running still.
  void start();
  /// All the rest, once that one has ended. A thread that never waits for it ends the program.
  void finish();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace rsr::cuda::emulated
