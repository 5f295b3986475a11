// Times of several ways to do the same.
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

#include "cli/timing.h"

namespace rsr::cli {

/// Median times of the calls run(trial, copy), the trials in turn, so that what changes on the
/// machine meanwhile meets all of them.
template <class Run>
std::vector<double> time_in_turn(const std::vector<bool>& timed, int repeats, size_t copies,
                                 const Run& run) {
  std::vector<std::vector<double>> seconds(timed.size());
  size_t copy = 0;
  for (int i = 0; i <= repeats; ++i) {
    for (size_t trial = 0; trial < timed.size(); ++trial) {
      if (!timed[trial]) continue;
      const double begin = now_seconds();
      run(trial, copy++ % copies);
      if (i > 0) seconds[trial].push_back(now_seconds() - begin);  // the first warms up
    }
  }
  std::vector<double> medians;
  for (auto& times : seconds) {
    std::sort(times.begin(), times.end());
    medians.push_back(times.empty() ? 0 : times[times.size() / 2]);
  }
  return medians;
}

}  // namespace rsr::cli
