// A line on the terminal that tells how far long work is.
#pragma once

#include <chrono>
#include <string>

#include "io/hub/hub.h"

namespace rsr::cli {

/// "model.safetensors  312 MB of 1.18 GB  26%  45.1 MB/s", for what stands where: `seconds` is the
/// time that the received bytes took. Without a total (nothing is known yet) only the name's place.
std::string progress_line(const io::HubProgress& progress, double seconds);

/// "[#########.....................]  45%  1.23 of 2.71 GB": `share` of the work is done, 0 to 1,
/// and `detail` stands behind it.
std::string progress_line(double share, const std::string& detail);

/// Draws on standard error when that is a terminal, ten times a second at most, and wipes the line
/// at the end of its scope.
class ProgressBar {
 public:
  ProgressBar();
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;
  ~ProgressBar() { clear(); }

  void show(const io::HubProgress& progress);
  void show(double share, const std::string& detail);
  /// Makes room for another line of text.
  void clear();

 private:
  using Clock = std::chrono::steady_clock;
  bool due(Clock::time_point now) const { return terminal_ && now >= next_; }
  void draw(const std::string& line);

  bool terminal_;
  bool drawn_ = false;
  bool began_ = false;       // bytes have come
  Clock::time_point start_;  // of the first of them
  Clock::time_point next_;   // when to draw again
};

}  // namespace rsr::cli
