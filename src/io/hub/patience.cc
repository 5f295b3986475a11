#include "io/hub/patience.h"

#include <algorithm>
#include <sstream>
#include <thread>

#include "base/check.h"

namespace rsr::io {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kFirstWait(500);
constexpr milliseconds kLongestWait(30'000);  // of our own accord
constexpr std::chrono::seconds kLongestAsked(300);
constexpr milliseconds kSlice(100);  // how soon a wish to end is noticed
constexpr int kMaxDoublings = 10;

std::string seconds_text(milliseconds time) {
  std::ostringstream out;
  out << static_cast<double>(time.count()) / 1000.0 << " s";
  return out.str();
}

}  // namespace

Status Patience::wait(const Status& why, std::chrono::seconds retry_after) {
  if (failures_ >= options_.retries) return why;
  if (retry_after > kLongestAsked) {
    return base::error(why.code(), why.message(), " (it asks to come back in ", retry_after.count(),
                       " s)");
  }
  const milliseconds ours =
      std::min(kFirstWait * (1 << std::min(failures_, kMaxDoublings)), kLongestWait);
  ++failures_;
  const milliseconds time = retry_after.count() > 0 ? milliseconds(retry_after) : ours;
  if (options_.notice) {
    options_.notice(why.message() + "; trying again in " + seconds_text(time));
  }
  return sleep(time);
}

Status Patience::sleep(milliseconds time) {
  const auto end = std::chrono::steady_clock::now() + time;
  while (std::chrono::steady_clock::now() < end) {
    if (!meter_->tick()) return meter_->cancelled_status();
    std::this_thread::sleep_for(kSlice);
  }
  return {};
}

}  // namespace rsr::io
