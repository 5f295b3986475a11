#include "base/file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <utility>

#include "base/check.h"
#include "base/file_descriptor.h"

namespace rsr::base {
namespace {

/// The size of the regular file behind `fd`.
Result<size_t> regular_size(int fd, const std::string& path) {
  struct stat info {};
  if (::fstat(fd, &info) != 0) return system_error(path);
  if (!S_ISREG(info.st_mode)) return error(ErrorCode::io_error, path, ": not a regular file");
  return static_cast<size_t>(info.st_size);
}

/// The whole text, or false with errno.
bool write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t n = ::write(fd, text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return false;
    text.remove_prefix(static_cast<size_t>(n));
  }
  return true;
}

}  // namespace

Status system_error(const std::string& path) {
  const ErrorCode code = errno == ENOENT ? ErrorCode::not_found : ErrorCode::io_error;
  return error(code, path, ": ", std::strerror(errno));
}

Result<MappedFile> MappedFile::open(const std::string& path) {
  const FileDescriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (fd.get() < 0) return system_error(path);
  RSR_ASSIGN_OR_RETURN(const size_t size, regular_size(fd.get(), path));
  if (size == 0) return MappedFile(nullptr, 0);
  void* data = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd.get(), 0);
  if (data == MAP_FAILED) return system_error(path);
  return MappedFile(static_cast<const std::byte*>(data), size);
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(const_cast<std::byte*>(data_), size_);
}

void MappedFile::will_be_read() const {
  if (data_ == nullptr) return;
  auto* const data = const_cast<std::byte*>(data_);
  // Advice: a kernel that does not know it says no, and nothing is lost.
  ::madvise(data, size_, MADV_HUGEPAGE);
  ::madvise(data, size_, MADV_WILLNEED);
}

void release_pages(std::span<const std::byte> part) {
  const auto page = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
  void* first = const_cast<std::byte*>(part.data());
  size_t left = part.size();
  if (std::align(page, page, first, left) == nullptr) return;  // no whole page
  ::madvise(first, left / page * page, MADV_DONTNEED);
}

Result<std::string> read_file(const std::string& path, size_t limit) {
  const FileDescriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (fd.get() < 0) return system_error(path);
  RSR_ASSIGN_OR_RETURN(const size_t size, regular_size(fd.get(), path));
  if (size > limit) {
    return error(ErrorCode::limit_exceeded, path, ": ", size, " bytes, at most ", limit,
                 " are accepted");
  }
  std::string content(size, '\0');
  for (size_t done = 0; done < size;) {
    const ssize_t n = ::read(fd.get(), content.data() + done, size - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return system_error(path);
    if (n == 0) return error(ErrorCode::io_error, path, ": became shorter while it was read");
    done += static_cast<size_t>(n);
  }
  return content;
}

Status replace_file(const std::string& path, std::string_view text) {
  static std::atomic<unsigned> count = 0;
  const std::string temporary =
      path + "." + std::to_string(::getpid()) + "." + std::to_string(count++) + ".tmp";
  {
    // With 0666 the user's umask decides who may read, as for every other file.
    const FileDescriptor fd(
        ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
    if (fd.get() < 0) return system_error(temporary);
    if (write_all(fd.get(), text) && std::rename(temporary.c_str(), path.c_str()) == 0) return {};
  }
  Status failed = system_error(path);
  ::unlink(temporary.c_str());
  return failed;
}

bool file_exists(const std::string& path) {
  return ::access(path.c_str(), F_OK) == 0;
}

}  // namespace rsr::base
