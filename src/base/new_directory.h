// A directory that appears under its name only when it is complete.
#pragma once

#include <string>

#include "rsr/status.h"

namespace rsr::base {

/// Files are written into `<target>.rsr-partial`, beside the target, and commit() renames that.
/// What a killed process left there is removed by the next one; while one is at work, a second is
/// refused.
class NewDirectory {
 public:
  /// Makes the partial directory, empty. Errors: the target's parent is missing or not writable;
  /// another process is writing the same target.
  static Result<NewDirectory> create(const std::string& target);
  NewDirectory(NewDirectory&& other) noexcept;
  NewDirectory& operator=(NewDirectory&&) = delete;
  /// Removes what was not committed.
  ~NewDirectory();

  /// Where to write.
  const std::string& path() const { return partial_; }

  enum class Existing { refuse, replace };
  /// Gives the directory its name, on the disk when this returns. A target that is there is refused
  /// or replaced: the names change places in one step, then the old one is removed. Files must have
  /// been brought to the disk by whoever wrote them.
  Status commit(Existing existing);

 private:
  NewDirectory(std::string target, std::string partial, int fd)
      : target_(std::move(target)), partial_(std::move(partial)), fd_(fd) {}
  Status replace();
  std::string target_;
  std::string partial_;
  int fd_ = -1;  // of the partial directory, which it locks; -1 after commit()
};

}  // namespace rsr::base
