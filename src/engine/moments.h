// Mean and standard error of numbers that come one by one.
#pragma once

#include <cmath>
#include <cstdint>

namespace rsr::engine {

/// By Welford's recurrence, which does not lose a small variance beside a large mean.
class Moments {
 public:
  void add(double value) {
    ++count_;
    const double before = value - mean_;
    mean_ += before / static_cast<double>(count_);
    squares_ += before * (value - mean_);
  }

  int64_t count() const { return count_; }
  double mean() const { return mean_; }

  /// Standard error of the mean, with the unbiased variance; for at least 2 values.
  double error() const {
    const auto n = static_cast<double>(count_);
    return std::sqrt(squares_ / (n - 1) / n);
  }

 private:
  int64_t count_ = 0;
  double mean_ = 0;
  double squares_ = 0;  // sum of the squared distances from the mean
};

}  // namespace rsr::engine
