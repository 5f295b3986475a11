#include "io/hub/partial_file.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdio>

namespace rsr::io {

Result<PartialFile> PartialFile::open(const std::string& path) {
  base::FileDescriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666));
  struct stat info {};
  if (file.get() < 0 || ::fstat(file.get(), &info) != 0) return base::system_error(path);
  return PartialFile(path, std::move(file), info.st_size);
}

Status PartialFile::append(std::string_view piece) {
  while (!piece.empty()) {
    const ssize_t n = ::write(file_.get(), piece.data(), piece.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return base::system_error(path_);
    size_ += n;
    piece.remove_prefix(static_cast<size_t>(n));
  }
  return {};
}

Status PartialFile::clear() {
  if (size_ > 0 && ::ftruncate(file_.get(), 0) != 0) return base::system_error(path_);
  size_ = 0;
  return {};
}

Status PartialFile::finish(const std::string& name) {
  // A crash after the rename must not leave a short file under a name that promises a whole one.
  if (::fsync(file_.get()) != 0) return base::system_error(path_);
  if (std::rename(path_.c_str(), name.c_str()) != 0) return base::system_error(name);
  return {};
}

}  // namespace rsr::io
