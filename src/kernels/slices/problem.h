// For the test and the benchmark of this folder, and the self-test: slices of random places.
#pragma once

#include <random>
#include <vector>

#include "base/aligned.h"
#include "kernels/slices/list.h"

namespace rsr::kernels {

/// Slices of `steps[i]` steps over `cols` inputs; the zero is behind them.
class SlicesProblem {
 public:
  SlicesProblem(const std::vector<int64_t>& steps, int64_t cols, uint32_t seed = 1) {
    std::mt19937 random(seed);
    for (const int64_t n : steps) slice_steps.push_back(slice_steps.back() + n);
    for (int64_t i = 0; i < slice_steps.back() * kSliceLanes; ++i) {
      const auto place = static_cast<int64_t>(random() % static_cast<uint32_t>(cols + 1));
      columns.push_back(static_cast<uint16_t>(place));
    }
    for (int64_t c = 0; c < cols; ++c) x.push_back(static_cast<int32_t>(random() % 256) - 128);
    x.push_back(0);
  }

  template <class X, class Sum>
  Slices<X, Sum> params(const X* inputs, Sum* sums) const {
    return {columns.data(), slice_steps.data(), inputs, sums};
  }
  int64_t slices() const { return static_cast<int64_t>(slice_steps.size()) - 1; }

  std::vector<int64_t> slice_steps = {0};
  std::vector<uint16_t> columns;
  std::vector<int32_t> x;
};

}  // namespace rsr::kernels
