// Repeated timings and their order statistics.
#pragma once

#include <algorithm>
#include <chrono>
#include <vector>

namespace rsr::cli {

inline double now_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

struct Timings {
  std::vector<double> seconds;  // sorted

  double median() const { return seconds[seconds.size() / 2]; }
  double least() const { return seconds.front(); }
  double most() const { return seconds.back(); }
};

/// Times call(0), call(1), ... `repeats` times, after `warmup` calls that are not counted.
template <class Call>
Timings time_calls(int warmup, int repeats, const Call& call) {
  Timings timings;
  for (int i = 0; i < warmup + repeats; ++i) {
    const double begin = now_seconds();
    call(i);
    if (i >= warmup) timings.seconds.push_back(now_seconds() - begin);
  }
  std::sort(timings.seconds.begin(), timings.seconds.end());
  return timings;
}

}  // namespace rsr::cli
