#include "io/hub/file_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <cerrno>
#include <chrono>
#include <thread>

namespace rsr::io {
namespace {

constexpr std::chrono::milliseconds kPause(50);

/// Whoever released the lock may have removed its file (newer versions of Python's filelock do):
/// then others lock a new file of that name, and this one protects nothing.
bool is_removed(int file) {
  struct stat info {};
  return ::fstat(file, &info) != 0 || info.st_nlink == 0;
}

}  // namespace

Result<FileLock> FileLock::acquire(const std::string& path, const KeepGoing& keep_going,
                                   const std::function<void()>& on_wait) {
  bool waited = false;
  while (true) {
    base::FileDescriptor file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666));
    if (file.get() < 0) return base::system_error(path);
    if (::flock(file.get(), LOCK_EX | LOCK_NB) == 0) {
      if (!is_removed(file.get())) return FileLock(std::move(file));
      continue;
    }
    if (errno != EWOULDBLOCK && errno != EINTR) return base::system_error(path);
    if (!waited) on_wait();
    waited = true;
    if (!keep_going()) return FileLock(base::FileDescriptor());
    std::this_thread::sleep_for(kPause);
  }
}

}  // namespace rsr::io
