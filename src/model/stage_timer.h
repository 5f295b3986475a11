// Where the time of a forward pass goes.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>

namespace rsr::model {

enum class Stage {
  linears,    ///< products with the layers' matrices, and the quantisation of their inputs
  attention,  ///< over the cache, and writing to it
  head,       ///< logits, or what a scan of the head takes
  rest        ///< embedding, norms, rotations, gates, sums
};
inline constexpr size_t kStages = 4;
using StageSeconds = std::array<double, kStages>;  // by Stage

/// A stopwatch with laps. It costs two readings of the clock for each product and each attention:
/// microseconds of a token's milliseconds.
class StageTimer {
 public:
  void start() {
    seconds_ = {};
    last_ = Clock::now();
  }
  /// What has passed since the last lap belongs to `stage`.
  void lap(Stage stage) {
    const Clock::time_point now = Clock::now();
    seconds_[static_cast<size_t>(stage)] += std::chrono::duration<double>(now - last_).count();
    last_ = now;
  }
  const StageSeconds& seconds() const { return seconds_; }

 private:
  using Clock = std::chrono::steady_clock;
  StageSeconds seconds_ = {};
  Clock::time_point last_ = Clock::now();
};

}  // namespace rsr::model
