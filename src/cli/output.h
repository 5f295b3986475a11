// Standard output, written at once, and what happens when nobody reads it.
#pragma once

#include <string_view>

#include "rsr/status.h"

namespace rsr::cli {

class Output {
 public:
  /// False when this or an earlier write failed.
  bool write(std::string_view text);

  /// The reader has gone (`rsr ... | head`): no error, but a reason to stop.
  bool reader_gone() const;

  /// The error of a failed write; ok when the reader has merely gone.
  Status status() const;

 private:
  int error_ = 0;  // errno of the first failed write
};

}  // namespace rsr::cli
