// How long to wait after a failed attempt, and when to give up.
#pragma once

#include <chrono>

#include "io/hub/hub.h"
#include "io/hub/meter.h"

namespace rsr::io {

class Patience {
 public:
  /// Both must outlive it.
  Patience(const HubOptions& options, Meter* meter) : options_(options), meter_(meter) {}

  /// Waits before the next attempt: half a second, then twice as long each time, or as long as the
  /// server asked for (`retry_after`; 0: it did not). Gives `why` when there were attempts enough
  /// or the server asks for minutes, and an error when it was cancelled.
  Status wait(const Status& why, std::chrono::seconds retry_after);

  /// The attempt brought something new: as patient as in the beginning.
  void renew() { failures_ = 0; }

 private:
  Status sleep(std::chrono::milliseconds time);

  const HubOptions& options_;
  Meter* meter_;
  int failures_ = 0;
};

}  // namespace rsr::io
