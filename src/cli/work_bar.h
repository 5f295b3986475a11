// A bar on the terminal for long work whose end is known.
#pragma once

#include <chrono>
#include <string>

namespace rsr::cli {

/// "[#########...........]  45%  1.23 of 2.71 GB" on standard error when that is a terminal, ten
/// times a second at most; wiped at the end of its scope.
class WorkBar {
 public:
  WorkBar();
  WorkBar(const WorkBar&) = delete;
  WorkBar& operator=(const WorkBar&) = delete;
  ~WorkBar() { clear(); }

  /// `share` of the work is done, 0 to 1; `detail` stands behind it.
  void show(double share, const std::string& detail);
  /// Makes room for another line of text.
  void clear();

 private:
  using Clock = std::chrono::steady_clock;
  bool terminal_;
  bool drawn_ = false;
  Clock::time_point next_;  // when to draw again
};

}  // namespace rsr::cli
