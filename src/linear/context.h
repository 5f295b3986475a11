// What a Context holds: threads, the chosen instruction set, scratch memory.
#pragma once

#include <mutex>

#include "base/aligned.h"
#include "base/cpu.h"
#include "base/thread_pool.h"
#include "rsr/linear.h"

namespace rsr {

struct Context::Impl {
  Impl(int thread_count, base::Isa chosen) : pool(thread_count), isa(chosen) {}

  base::ThreadPool pool;
  base::Isa isa;
  std::mutex mutex;  // public calls on one context wait for each other

  // Scratch of the products; memory is kept between calls and only grows.
  base::AlignedArray<int8_t> x_i8;     // padded inputs
  base::AlignedArray<float> x_f32;     // padded inputs
  base::AlignedArray<int32_t> x_sums;  // [segments][batch]
  base::AlignedArray<int32_t> y_i32;   // sums before scales
  base::AlignedArray<float> y_f32;     // sums before scales
};

}  // namespace rsr
