#include "cli/progress_bar.h"

#include <unistd.h>

#include <cstdio>
#include <iomanip>
#include <sstream>

namespace rsr::cli {
namespace {

constexpr std::chrono::milliseconds kBetweenLines(100);

/// 1234567 as "1.23 MB": three digits, decimal units, as disks and networks are sold.
std::string bytes_text(double bytes) {
  const char* unit = "B";
  for (const char* larger : {"kB", "MB", "GB", "TB"}) {
    if (bytes < 999.5) break;
    bytes /= 1000;
    unit = larger;
  }
  std::ostringstream out;
  const bool whole = bytes >= 99.5 || *unit == 'B';
  out << std::fixed << std::setprecision(whole ? 0 : bytes >= 9.95 ? 1 : 2) << bytes << " " << unit;
  return out.str();
}

}  // namespace

std::string progress_line(const io::HubProgress& progress, double seconds) {
  if (progress.total <= 0) return "asking the hub ...";
  std::ostringstream out;
  const auto bytes = static_cast<double>(progress.bytes);
  const auto total = static_cast<double>(progress.total);
  out << progress.file << "  " << bytes_text(bytes) << " of " << bytes_text(total) << "  "
      << static_cast<int>(100 * bytes / total) << "%";
  if (progress.received > 0 && seconds > 0) {
    out << "  " << bytes_text(static_cast<double>(progress.received) / seconds) << "/s";
  }
  return out.str();
}

std::string progress_line(double share, const std::string& detail) {
  constexpr size_t kWidth = 30;
  const auto filled = static_cast<size_t>(kWidth * share);
  std::ostringstream out;
  out << "[" << std::string(filled, '#') << std::string(kWidth - filled, '.') << "] "
      << std::setw(3) << static_cast<int>(100 * share) << "%  " << detail;
  return out.str();
}

ProgressBar::ProgressBar() : terminal_(isatty(STDERR_FILENO) == 1) {}

void ProgressBar::show(const io::HubProgress& progress) {
  const Clock::time_point now = Clock::now();
  if (progress.received > 0 && !began_) {
    began_ = true;
    start_ = now;
  }
  if (!due(now)) return;
  draw(progress_line(progress, began_ ? std::chrono::duration<double>(now - start_).count() : 0));
}

void ProgressBar::show(double share, const std::string& detail) {
  if (due(Clock::now())) draw(progress_line(share, detail));
}

void ProgressBar::draw(const std::string& line) {
  next_ = Clock::now() + kBetweenLines;
  drawn_ = true;
  std::fprintf(stderr, "\r\033[K%s", line.c_str());
}

void ProgressBar::clear() {
  if (drawn_) std::fputs("\r\033[K", stderr);
  drawn_ = false;
}

}  // namespace rsr::cli
