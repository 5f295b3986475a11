// A lock that processes share through a file.
#pragma once

#include <functional>
#include <string>

#include "base/file_descriptor.h"
#include "io/hub/keep_going.h"
#include "rsr/status.h"

namespace rsr::io {

/// Held until the end of its scope or of its process. It is the lock that huggingface_hub takes
/// (flock on the same file), so that Python's downloads and ours exclude each other, too.
class FileLock {
 public:
  /// Waits for as long as another process holds the lock and `keep_going` says so; `on_wait` is
  /// called once when there is a wait. Makes the file, whose folder must exist. The lock is not
  /// held when it was cancelled.
  static Result<FileLock> acquire(const std::string& path, const KeepGoing& keep_going,
                                  const std::function<void()>& on_wait);

  bool held() const { return file_.get() >= 0; }

 private:
  explicit FileLock(base::FileDescriptor file) : file_(std::move(file)) {}
  base::FileDescriptor file_;
};

}  // namespace rsr::io
