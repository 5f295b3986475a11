#include "base/output_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "base/file_descriptor.h"

namespace rsr::base {
Result<OutputFile> OutputFile::create(const std::string& path) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (fd < 0) return system_error(path);
  return OutputFile(path, fd);
}

OutputFile::OutputFile(OutputFile&& other) noexcept
    : path_(std::move(other.path_)), fd_(std::exchange(other.fd_, -1)), size_(other.size_) {}

OutputFile& OutputFile::operator=(OutputFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(fd_, other.fd_);
  std::swap(size_, other.size_);
  return *this;
}

OutputFile::~OutputFile() {
  if (fd_ >= 0) ::close(fd_);
}

Status OutputFile::write(std::span<const std::byte> bytes) {
  RSR_RETURN_IF_ERROR(overwrite(size_, bytes));
  size_ += bytes.size();
  return {};
}

Status OutputFile::skip(uint64_t bytes) {
  if (::ftruncate(fd_, static_cast<off_t>(size_ + bytes)) != 0) return system_error(path_);
  size_ += bytes;
  return {};
}

Status OutputFile::overwrite(uint64_t offset, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::pwrite(fd_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return system_error(path_);
    offset += static_cast<uint64_t>(n);
    bytes = bytes.subspan(static_cast<size_t>(n));
  }
  return {};
}

Status OutputFile::finish() {
  if (::fsync(fd_) != 0) return system_error(path_);
  const int fd = std::exchange(fd_, -1);
  return ::close(fd) == 0 ? Status() : system_error(path_);
}

Status write_file(const std::string& path, std::string_view content) {
  RSR_ASSIGN_OR_RETURN(OutputFile file, OutputFile::create(path));
  RSR_RETURN_IF_ERROR(file.write(as_bytes(content)));
  return file.finish();
}

}  // namespace rsr::base
