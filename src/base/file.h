// Files: read-only mappings, and whole small files, read and replaced.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "rsr/status.h"

namespace rsr::base {

/// A read-only view of a whole file, paged in by the operating system as it is touched.
class MappedFile {
 public:
  static Result<MappedFile> open(const std::string& path);
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  ~MappedFile();

  std::span<const std::byte> bytes() const { return {data_, size_}; }

  /// The whole file will be read soon, many times: reading begins now, and large pages are used
  /// where the file system has them. Costs a millisecond per gigabyte when the file is cached.
  void will_be_read() const;

 private:
  MappedFile(const std::byte* data, size_t size) : data_(data), size_(size) {}
  const std::byte* data_ = nullptr;
  size_t size_ = 0;
};

/// A part of a mapping is not needed for now: it stays valid, but no longer counts as memory of
/// this process.
void release_pages(std::span<const std::byte> part);

/// The content of a regular file of at most `limit` bytes.
Result<std::string> read_file(const std::string& path, size_t limit);

/// Writes a small file in a folder that exists. The text goes to a temporary name beside it first,
/// so that a reader finds the old file or the new one and never half of one.
Status replace_file(const std::string& path, std::string_view text);

bool file_exists(const std::string& path);

}  // namespace rsr::base
