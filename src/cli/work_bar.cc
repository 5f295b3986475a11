#include "cli/work_bar.h"

#include <unistd.h>

#include <cstdio>

namespace rsr::cli {

WorkBar::WorkBar() : terminal_(isatty(STDERR_FILENO) == 1) {}

void WorkBar::show(double share, const std::string& detail) {
  const Clock::time_point now = Clock::now();
  if (!terminal_ || now < next_) return;
  drawn_ = true;
  next_ = now + std::chrono::milliseconds(100);
  constexpr int kWidth = 30;
  const int filled = static_cast<int>(kWidth * share);
  const std::string bar = std::string(static_cast<size_t>(filled), '#') +
                          std::string(static_cast<size_t>(kWidth - filled), '.');
  std::fprintf(stderr, "\r\033[K[%s] %3d%%  %s", bar.c_str(), static_cast<int>(100 * share),
               detail.c_str());
  std::fflush(stderr);
}

void WorkBar::clear() {
  if (drawn_) std::fputs("\r\033[K", stderr);
  drawn_ = false;
}

}  // namespace rsr::cli
