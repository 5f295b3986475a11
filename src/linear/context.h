// What a Context holds: threads, the chosen kernels, scratch memory.
#pragma once

#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "base/aligned.h"
#include "base/cpu.h"
#include "base/thread_pool.h"
#include "linear/activations.h"
#include "linear/planner.h"
#include "rsr/linear.h"

namespace rsr {

struct Context::Impl {
  /// `disabled`: kernels that failed the self-test, and `failures` says so in sentences.
  Impl(int thread_count, base::Isa chosen, const std::vector<std::string>& disabled = {},
       std::vector<std::string> failures = {}, bool pin_threads = false)
      : pool(thread_count, pin_threads),
        isa(chosen),
        kernels(chosen, disabled),
        warnings(std::move(failures)) {}

  base::ThreadPool pool;
  base::Isa isa;
  linear::KernelSet kernels;
  std::vector<std::string> warnings;
  std::mutex mutex;  // public calls on one context wait for each other

  // Scratch of the products; memory is kept between calls and only grows.
  base::AlignedArray<int8_t> x_i8;     // inputs of public calls, or spread over padded groups
  base::AlignedArray<int8_t> x_tiles;  // inputs in token tiles
  base::AlignedArray<float> x_f32;     // padded inputs, or tables of them, for each thread
  base::AlignedArray<uint8_t> kernel_scratch;  // of kernels that ask for some, for each thread
  base::AlignedArray<int32_t> corrections;     // [groups][batch]
  base::AlignedArray<int32_t> y_i32;           // sums before scales
  base::AlignedArray<float> y_f32;             // sums before scales
  linear::Activations quantised;               // of public calls
};

}  // namespace rsr
