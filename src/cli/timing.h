// Repeated timings and their order statistics.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <vector>

namespace rsr::cli {

inline double now_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/// 0 when there are none.
inline double median_of(std::vector<double> values) {
  if (values.empty()) return 0;
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

struct Timings {
  std::vector<double> seconds;  // sorted

  double median() const { return seconds[seconds.size() / 2]; }
  double least() const { return seconds.front(); }
  double most() const { return seconds.back(); }
};

// Short calls that follow one measurement of something else.
inline constexpr int kTogether = 4;

/// Times call(i) for consecutive i, `repeats` times. Before each `together` of them it measures
/// something else, with between(), which leaves its own traces in the caches and on the clock; so a
/// call that is not counted follows.
template <class Between, class Call>
Timings time_calls(int repeats, const Between& between, const Call& call,
                   int together = kTogether) {
  Timings timings;
  for (int i = 0, at = 0; i < repeats; ++i) {
    if (i % together == 0) {
      between();
      call(at++);
    }
    const double begin = now_seconds();
    call(at++);
    timings.seconds.push_back(now_seconds() - begin);
  }
  std::sort(timings.seconds.begin(), timings.seconds.end());
  return timings;
}

}  // namespace rsr::cli
