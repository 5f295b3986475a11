#include "base/output_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <random>
#include <string_view>
#include <system_error>
#include <utility>

#include "base/check.h"
#include "base/file_descriptor.h"

namespace rsr::base {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kTemporaryEnd = ".rsr-partial";

/// What symbolic links lead to, be it there or not.
std::string end_of_links(const std::string& path) {
  constexpr int kMostLinks = 40;
  fs::path at = path;
  std::error_code ignored;
  for (int i = 0; i < kMostLinks && fs::is_symlink(at, ignored); ++i) {
    at = at.parent_path() / fs::read_symlink(at, ignored);
  }
  return at.string();
}

/// A name beside `path` that nobody else has.
std::string temporary_name(const std::string& path) {
  std::random_device random;
  return path + "." + std::to_string(uint64_t{random()} << 32 | random()) +
         std::string(kTemporaryEnd);
}

/// True for a name of temporary_name(): `begin`, digits, the end.
bool is_temporary(std::string_view name, std::string_view begin) {
  if (!name.starts_with(begin) || !name.ends_with(kTemporaryEnd)) return false;
  if (name.size() <= begin.size() + kTemporaryEnd.size()) return false;
  name.remove_prefix(begin.size());
  name.remove_suffix(kTemporaryEnd.size());
  return name.find_first_not_of("0123456789") == std::string_view::npos;
}

/// Removes temporary files of `path` that nobody is writing: killed processes left them.
void remove_left(const std::string& path) {
  const fs::path target(path);
  const std::string begin = target.filename().string() + ".";
  std::error_code failed;
  const fs::path folder = target.has_parent_path() ? target.parent_path() : fs::path(".");
  for (fs::directory_iterator entry(folder, failed), end; !failed && entry != end;
       entry.increment(failed)) {
    if (!is_temporary(entry->path().filename().string(), begin)) continue;
    const FileDescriptor fd(
        ::open(entry->path().c_str(), O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC));
    if (fd.get() >= 0 && ::flock(fd.get(), LOCK_EX | LOCK_NB) == 0) {
      ::unlink(entry->path().c_str());
    }
  }
}

/// True when the file still has a name, having been locked: another process may have taken it for
/// one that was left, in the moment before.
bool locked_with_name(int fd) {
  struct stat info {};
  // Where locks are not known nobody else gets one either, and all files stay.
  ::flock(fd, LOCK_EX);
  return ::fstat(fd, &info) == 0 && info.st_nlink > 0;
}

}  // namespace

Result<OutputFile> OutputFile::create(const std::string& path) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (fd < 0) return system_error(path);
  return OutputFile(path, fd);
}

Result<OutputFile> OutputFile::replacement(const std::string& path) {
  const std::string target = end_of_links(path);
  remove_left(target);
  while (true) {
    const std::string name = temporary_name(target);
    OutputFile file(path, ::open(name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
    if (file.fd_ < 0) return system_error(path);
    file.target_ = target;
    file.temporary_ = name;
    if (locked_with_name(file.fd_)) return file;
  }
}

OutputFile::OutputFile(OutputFile&& other) noexcept
    : path_(std::move(other.path_)),
      target_(std::move(other.target_)),
      temporary_(std::exchange(other.temporary_, {})),
      fd_(std::exchange(other.fd_, -1)),
      size_(other.size_) {}

OutputFile& OutputFile::operator=(OutputFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(target_, other.target_);
  std::swap(temporary_, other.temporary_);
  std::swap(fd_, other.fd_);
  std::swap(size_, other.size_);
  return *this;
}

OutputFile::~OutputFile() {
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
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
  if (!temporary_.empty()) {
    if (std::rename(temporary_.c_str(), target_.c_str()) != 0) return system_error(path_);
    temporary_.clear();
  }
  const int fd = std::exchange(fd_, -1);
  return ::close(fd) == 0 ? Status() : system_error(path_);
}

Status write_file(const std::string& path, std::string_view content) {
  RSR_ASSIGN_OR_RETURN(OutputFile file, OutputFile::create(path));
  RSR_RETURN_IF_ERROR(file.write(as_bytes(content)));
  return file.finish();
}

}  // namespace rsr::base
