// How many multiply-adds the threads of a pool can do when nothing waits for memory.
#pragma once

#include "base/cpu.h"
#include "base/thread_pool.h"

namespace rsr::cli {

/// int8 multiply-adds per second of all threads together, with the dot product of `isa`; 0 when
/// that has none.
double dot_peak(base::ThreadPool& pool, base::Isa isa);

/// The same for fp32 and fused multiply-adds.
double fma_peak(base::ThreadPool& pool, base::Isa isa);

}  // namespace rsr::cli
