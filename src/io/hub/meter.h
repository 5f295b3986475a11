// What a download tells its caller, and the caller's wish to end it.
#pragma once

#include <string>
#include <utility>

#include "io/hub/hub.h"

namespace rsr::io {

class Meter {
 public:
  explicit Meter(HubProgressFunction function) : function_(std::move(function)) {}

  /// So many more bytes are needed than were known of before.
  void plan(int64_t bytes) { now_.total += bytes; }

  void begin(const std::string& file) {
    now_.file = file;
    finished_ = now_.bytes;
  }
  /// Bytes of the current file that are on the disk.
  void set(int64_t bytes) { now_.bytes = finished_ + bytes; }
  void receive(int64_t bytes) { now_.received += bytes; }

  /// False once the caller wants an end.
  bool tick() {
    cancelled_ = cancelled_ || (function_ && !function_(now_));
    return !cancelled_;
  }
  bool cancelled() const { return cancelled_; }

  Status cancelled_status() const {
    return {ErrorCode::io_error, "cancelled; what has come stays in the cache"};
  }

 private:
  HubProgressFunction function_;
  HubProgress now_;
  int64_t finished_ = 0;  // bytes of the files before this one
  bool cancelled_ = false;
};

}  // namespace rsr::io
