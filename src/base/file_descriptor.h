// A file descriptor that closes itself, and the operating system's refusals as errors.
#pragma once

#include <unistd.h>

#include <string>
#include <utility>

#include "rsr/status.h"

namespace rsr::base {

/// Closes a file descriptor at the end of its scope; a negative one stands for none.
class FileDescriptor {
 public:
  explicit FileDescriptor(int fd = -1) : fd_(fd) {}
  FileDescriptor(FileDescriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~FileDescriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }

 private:
  int fd_;
};

/// "PATH: what errno says"; not_found where nothing is there, else io_error.
Status system_error(const std::string& path);

}  // namespace rsr::base
