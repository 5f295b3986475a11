#include "base/new_directory.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <utility>

#include "base/check.h"
#include "base/file_descriptor.h"

namespace rsr::base {
namespace {

namespace fs = std::filesystem;

/// "a/b/" as "a/b": the partial directory is to lie beside the target.
std::string without_slashes(std::string path) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return path;
}

std::string parent_of(const std::string& path) {
  const std::string parent = fs::path(path).parent_path().string();
  return parent.empty() ? "." : parent;
}

Status sync_directory(const std::string& path) {
  const FileDescriptor fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (fd.get() < 0) return system_error(path);
  return ::fsync(fd.get()) == 0 ? Status() : system_error(path);
}

/// The directory and those in it.
Status sync_tree(const std::string& directory) {
  std::error_code failed;
  for (fs::recursive_directory_iterator entry(directory, failed), end; !failed && entry != end;
       entry.increment(failed)) {
    if (entry->is_directory(failed)) RSR_RETURN_IF_ERROR(sync_directory(entry->path().string()));
  }
  if (failed) return error(ErrorCode::io_error, directory, ": ", failed.message());
  return sync_directory(directory);
}

/// True when `fd` is what `path` names now; another process may have renamed or removed it.
bool is_at(int fd, const std::string& path) {
  struct stat by_fd {};
  struct stat by_path {};
  return ::fstat(fd, &by_fd) == 0 && ::lstat(path.c_str(), &by_path) == 0 &&
         by_fd.st_dev == by_path.st_dev && by_fd.st_ino == by_path.st_ino;
}

Status remove_content(const std::string& directory) {
  std::error_code failed;
  for (const fs::directory_entry& entry : fs::directory_iterator(directory, failed)) {
    fs::remove_all(entry.path(), failed);
    if (failed) break;
  }
  if (failed) return error(ErrorCode::io_error, directory, ": ", failed.message());
  return {};
}

/// Gives a directory a name that is free; errno is EEXIST when it is not.
bool rename_to_free(const std::string& from, const std::string& to) {
  if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) return true;
  if (errno != EINVAL && errno != ENOSYS) return false;
  // A file system that does not know this (NFS): what comes between the two calls is kept all the
  // same, since rename() replaces no directory but an empty one.
  struct stat info {};
  if (::lstat(to.c_str(), &info) == 0) {
    errno = EEXIST;
    return false;
  }
  return ::rename(from.c_str(), to.c_str()) == 0;
}

/// The locked directory at `path`, made when it is missing; -1 when it vanished meanwhile.
Result<int> lock_directory(const std::string& path, const std::string& target) {
  if (::mkdir(path.c_str(), 0777) != 0 && errno != EEXIST) return system_error(path);
  const int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0 && errno == ENOENT) return -1;
  if (fd < 0) return system_error(path);
  // File systems without locks (some network ones) give other errors, and no protection.
  if (::flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
    ::close(fd);
    return error(ErrorCode::io_error, target, ": another process is writing it (", path,
                 " is locked)");
  }
  if (is_at(fd, path)) return fd;
  ::close(fd);
  return -1;
}

}  // namespace

Result<NewDirectory> NewDirectory::create(const std::string& target) {
  std::string name = without_slashes(target);
  std::string partial = name + ".rsr-partial";
  int fd = -1;
  while (fd < 0) {
    RSR_ASSIGN_OR_RETURN(fd, lock_directory(partial, name));
  }
  NewDirectory directory(std::move(name), std::move(partial), fd);
  RSR_RETURN_IF_ERROR(remove_content(directory.path()));
  return directory;
}

NewDirectory::NewDirectory(NewDirectory&& other) noexcept
    : target_(std::move(other.target_)),
      partial_(std::move(other.partial_)),
      fd_(std::exchange(other.fd_, -1)) {}

NewDirectory::~NewDirectory() {
  if (fd_ < 0) return;
  std::error_code ignored;
  if (is_at(fd_, partial_)) fs::remove_all(partial_, ignored);
  ::close(fd_);
}

Status NewDirectory::commit(Existing existing) {
  RSR_RETURN_IF_ERROR(sync_tree(partial_));
  if (rename_to_free(partial_, target_)) {
    ::close(std::exchange(fd_, -1));
    return sync_directory(parent_of(target_));
  }
  if (errno != EEXIST) return system_error(target_);
  if (existing == Existing::refuse) {
    return error(ErrorCode::invalid_argument, target_, ": is there already");
  }
  return replace();
}

Status NewDirectory::replace() {
  // The old directory gets the partial name, and is locked under it until it is gone.
  const FileDescriptor old(::open(target_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (old.get() < 0) return system_error(target_);
  ::flock(old.get(), LOCK_EX | LOCK_NB);
  if (::renameat2(AT_FDCWD, partial_.c_str(), AT_FDCWD, target_.c_str(), RENAME_EXCHANGE) != 0) {
    return system_error(target_).with_context("this file system cannot exchange directories");
  }
  ::close(std::exchange(fd_, -1));
  RSR_RETURN_IF_ERROR(sync_directory(parent_of(target_)));
  std::error_code failed;
  fs::remove_all(partial_, failed);
  return failed ? error(ErrorCode::io_error, partial_, ": the old directory: ", failed.message())
                : Status();
}

}  // namespace rsr::base
