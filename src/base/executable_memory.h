// Machine code that was made while the program runs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "rsr/status.h"

namespace rsr::base {

/// Pages with code. They are written first and made executable then, never both at once, and never
/// written again.
class ExecutableMemory {
 public:
  static constexpr size_t kPage = 4096;  // sizes are multiples of it

  ExecutableMemory() = default;
  /// A copy of `code` that can be run. Errors: no memory; a system that forbids executable memory.
  static Result<ExecutableMemory> create(std::span<const uint8_t> code);
  ~ExecutableMemory();
  ExecutableMemory(ExecutableMemory&& other) noexcept;
  ExecutableMemory& operator=(ExecutableMemory&& other) noexcept;
  ExecutableMemory(const ExecutableMemory&) = delete;
  ExecutableMemory& operator=(const ExecutableMemory&) = delete;

  const uint8_t* data() const { return data_; }
  size_t size() const { return size_; }

 private:
  uint8_t* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace rsr::base
