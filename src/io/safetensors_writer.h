// Writes a safetensors file tensor by tensor: nothing but the header is kept in memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/output_file.h"
#include "io/safetensors.h"
#include "rsr/status.h"

namespace rsr::io {

/// The room for the header is set when the file is created, tensors follow in the order of the
/// calls, and the header is written last: a file that was not finished begins with zeros and is
/// refused by every reader. Errors name the file.
class SafetensorsWriter {
 public:
  /// Tensors begin at multiples of this in the file.
  static constexpr uint64_t kAlignment = 64;
  /// The format allows no gaps, so what fills them up are u8 tensors of zeros: this, and a number.
  static constexpr std::string_view kPaddingPrefix = "rsr.padding.";

  /// Creates the file, which must not be there. `header_bytes` is at least what the header needs;
  /// it is rounded up so that data begin on a page.
  static Result<SafetensorsWriter> create(const std::string& path, size_t header_bytes);
  /// The same into an empty file that is open.
  static Result<SafetensorsWriter> create(base::OutputFile file, size_t header_bytes);

  /// Begins a tensor; its bytes, as many as type and shape ask for, follow through write().
  Status begin(const std::string& name, DType dtype, const std::vector<int64_t>& shape);
  Status write(std::span<const std::byte> bytes);

  /// The header for all tensors so far, filled up with spaces to the room that there is.
  std::string header(const std::map<std::string, std::string>& metadata) const;
  /// Writes a header of the size that header() gives, and brings the file to the disk.
  Status finish(std::string_view header);

  /// Bytes of the file so far.
  uint64_t size() const { return file_.size(); }

  /// Bytes of a header that are enough for a tensor of this name and the padding before it.
  static size_t header_bytes_of(std::string_view name);

 private:
  struct Entry {
    std::string name;
    DType dtype;
    std::vector<int64_t> shape;
    uint64_t begin;
    uint64_t end;
  };
  SafetensorsWriter(base::OutputFile file, size_t header_bytes)
      : file_(std::move(file)), header_bytes_(header_bytes) {}
  uint64_t data_size() const;
  Status pad();

  base::OutputFile file_;
  size_t header_bytes_ = 0;  // without the 8 bytes of the length
  std::vector<Entry> entries_;
  size_t paddings_ = 0;
};

}  // namespace rsr::io
