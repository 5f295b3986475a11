// A file that is written from its beginning to its end; every error of the system is reported.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "rsr/status.h"

namespace rsr::base {

/// Errors name the path and have the system's words: a full disk, a limit, a missing folder. A
/// process that wants a limit on the size of files as an error ignores SIGXFSZ.
class OutputFile {
 public:
  /// Creates the file, which must not be there.
  static Result<OutputFile> create(const std::string& path);
  /// A file that takes the name `path` in finish(), and the place of a file that is there: readers
  /// find the old one or the new one, whole. Until then it is `path`.<number>.rsr-partial, which is
  /// removed when it is not finished; what a killed process left, the next replacement of `path`
  /// removes. A symbolic link stays, and what it leads to is replaced. Several processes may
  /// replace a file at once: the last one's stays.
  static Result<OutputFile> replacement(const std::string& path);
  OutputFile(OutputFile&& other) noexcept;
  OutputFile& operator=(OutputFile&& other) noexcept;
  /// Closes; an unfinished file stays as it is, unless it is a replacement.
  ~OutputFile();

  /// Appends all bytes.
  Status write(std::span<const std::byte> bytes);
  /// Moves the end: what is skipped reads as zeros until it is overwritten.
  Status skip(uint64_t bytes);
  /// Writes over what lies at `offset`, a place before the end.
  Status overwrite(uint64_t offset, std::span<const std::byte> bytes);
  /// Brings everything to the disk and closes the file.
  Status finish();

  /// Bytes so far.
  uint64_t size() const { return size_; }
  const std::string& path() const { return path_; }

 private:
  OutputFile(std::string path, int fd) : path_(std::move(path)), fd_(fd) {}
  std::string path_;
  std::string target_;     // of a replacement: what path_ leads to
  std::string temporary_;  // of a replacement: its name until it is finished
  int fd_ = -1;
  uint64_t size_ = 0;
};

/// Writes a small file at once, on the disk when it returns. It must not be there.
Status write_file(const std::string& path, std::string_view content);

inline std::span<const std::byte> as_bytes(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

}  // namespace rsr::base
