// What a Context holds: threads, the chosen kernels, scratch memory.
#pragma once

#include <mutex>

#include "base/aligned.h"
#include "base/cpu.h"
#include "base/thread_pool.h"
#include "linear/activations.h"
#include "linear/planner.h"
#include "rsr/linear.h"

namespace rsr {

struct Context::Impl {
  Impl(int thread_count, base::Isa chosen) : pool(thread_count), isa(chosen), kernels(chosen) {}

  base::ThreadPool pool;
  base::Isa isa;
  linear::KernelSet kernels;
  std::mutex mutex;  // public calls on one context wait for each other

  // Scratch of the products; memory is kept between calls and only grows.
  base::AlignedArray<int8_t> x_i8;          // inputs of public calls, or spread over padded groups
  base::AlignedArray<int8_t> x_tiles;       // inputs in token tiles
  base::AlignedArray<float> x_f32;          // padded inputs, or tables of them
  base::AlignedArray<int32_t> corrections;  // [groups][batch]
  base::AlignedArray<int32_t> y_i32;        // sums before scales
  base::AlignedArray<float> y_f32;          // sums before scales
  linear::Activations quantised;            // of public calls
};

}  // namespace rsr
