#include "cli/output.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/check.h"

namespace rsr::cli {

bool Output::write(std::string_view text) {
  while (!text.empty() && error_ == 0) {
    const ssize_t n = ::write(STDOUT_FILENO, text.data(), text.size());
    if (n >= 0) {
      text.remove_prefix(static_cast<size_t>(n));
    } else if (errno != EINTR) {
      error_ = errno;
    }
  }
  return error_ == 0;
}

bool Output::reader_gone() const {
  return error_ == EPIPE;
}

Status Output::status() const {
  if (error_ == 0 || reader_gone()) return {};
  return base::error(ErrorCode::io_error, "standard output: ", std::strerror(error_));
}

}  // namespace rsr::cli
