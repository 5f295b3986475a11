// What the targets for safetensors files with a hash of their header share.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <string>

#include "model/checked_header.h"

namespace rsr::fuzz {

/// The hash made right, so that a changed header comes further than to it. Where the header has no
/// place for a hash the bytes stay as they are.
inline std::string with_hash(std::string bytes) {
  if (bytes.size() < 8) return bytes;
  uint64_t size = 0;
  for (int i = 7; i >= 0; --i) size = size << 8 | static_cast<uint8_t>(bytes[i]);
  if (size > bytes.size() - 8) return bytes;
  const std::string header = bytes.substr(8, size);
  const size_t at = header.find("\"rsr.header_hash\":\"");
  if (at == std::string::npos || header.size() < at + 19 + 17 || header[at + 19 + 16] != '"') {
    return bytes;
  }
  return bytes.replace(8, size, model::with_header_hash(header));
}

/// A file with these bytes, in memory; its path is empty where the system refuses. The next call
/// takes its place.
inline std::string file_of(const std::string& bytes) {
  static const int fd = ::memfd_create("fuzz", 0);
  if (fd < 0 || ::ftruncate(fd, 0) != 0) return {};
  if (::pwrite(fd, bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) return {};
  return "/proc/self/fd/" + std::to_string(fd);
}

}  // namespace rsr::fuzz
