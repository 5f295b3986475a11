// Runs kernels written in simt.h on the host: every block, fiber by fiber.
#pragma once

#include <cstdint>
#include <functional>

#include "cuda/simt.h"

namespace rsr::cuda::emulated {

/// In which order the fibers of a block run between barriers. A kernel that is right gives the same
/// results in each.
enum class Order : uint8_t { forwards, backwards, shuffled };
void set_order(Order order);

/// Calls `kernel` once for every thread of every block of `launch`. Blocks run one after the other,
/// in the same order as their fibers.
void run_blocks(const simt::Launch& launch, const std::function<void()>& kernel);

}  // namespace rsr::cuda::emulated
