// The product by its definition, for tests: dense values, exact integers or double.
#pragma once

#include <cmath>
#include <cstdint>
#include <span>
#include <vector>

namespace rsr::segment {

/// y[rows] = W[rows, cols] x[cols], exactly.
inline std::vector<int64_t> dense_product(std::span<const int8_t> w, std::span<const int8_t> x) {
  const size_t cols = x.size();
  std::vector<int64_t> y(w.size() / cols, 0);
  for (size_t r = 0; r < y.size(); ++r) {
    for (size_t c = 0; c < cols; ++c) y[r] += int64_t{w[r * cols + c]} * x[c];
  }
  return y;
}

/// y[rows] = W[rows, cols] x[cols] in double.
inline std::vector<double> dense_product(std::span<const int8_t> w, std::span<const float> x) {
  const size_t cols = x.size();
  std::vector<double> y(w.size() / cols, 0);
  for (size_t r = 0; r < y.size(); ++r) {
    for (size_t c = 0; c < cols; ++c) y[r] += double{x[c]} * w[r * cols + c];
  }
  return y;
}

/// The scale of a row's rounding error: sum over c of |W[r, c] x[c]|.
inline std::vector<double> dense_magnitude(std::span<const int8_t> w, std::span<const float> x) {
  const size_t cols = x.size();
  std::vector<double> sum(w.size() / cols, 0);
  for (size_t r = 0; r < sum.size(); ++r) {
    for (size_t c = 0; c < cols; ++c) sum[r] += std::abs(double{x[c]} * w[r * cols + c]);
  }
  return sum;
}

}  // namespace rsr::segment
