// A file that grows until it is whole, over as many attempts and processes as that takes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/file_descriptor.h"
#include "rsr/status.h"

namespace rsr::io {

class PartialFile {
 public:
  /// Opens the file with what it has, or makes it. One process at a time: the caller holds a lock.
  static Result<PartialFile> open(const std::string& path);

  const std::string& path() const { return path_; }
  int64_t size() const { return size_; }

  /// Written at once: what is here outlives the process.
  Status append(std::string_view piece);
  Status clear();
  /// Brings the content to the disk and gives the file its name.
  Status finish(const std::string& name);

 private:
  PartialFile(std::string path, base::FileDescriptor file, int64_t size)
      : path_(std::move(path)), file_(std::move(file)), size_(size) {}
  std::string path_;
  base::FileDescriptor file_;
  int64_t size_;
};

}  // namespace rsr::io
