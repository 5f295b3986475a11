#include "base/executable_memory.h"

#include <sys/mman.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "base/check.h"

namespace rsr::base {

namespace {

constexpr size_t kHugePage = size_t{2} << 20;

/// Writable pages on a boundary of huge ones where there are enough: straight-line code goes
/// through its pages so quickly that looking up small ones takes a third of its time. Null: no
/// memory.
void* map_pages(size_t size) {
  const size_t room = size < kHugePage ? size : size + kHugePage;
  void* memory = mmap(nullptr, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return nullptr;
  if (room == size) return memory;
  auto* begin = static_cast<uint8_t*>(memory);
  const size_t before = (kHugePage - reinterpret_cast<uintptr_t>(begin) % kHugePage) % kHugePage;
  if (before > 0) munmap(begin, before);
  if (before < kHugePage) munmap(begin + before + size, kHugePage - before);
  madvise(begin + before, size, MADV_HUGEPAGE);
  return begin + before;
}

}  // namespace

Result<ExecutableMemory> ExecutableMemory::create(std::span<const uint8_t> code) {
  if (code.empty()) return ExecutableMemory();
  ExecutableMemory made;
  made.size_ = (code.size() + kPage - 1) / kPage * kPage;
  made.data_ = static_cast<uint8_t*>(map_pages(made.size_));
  if (made.data_ == nullptr) {
    return error(ErrorCode::io_error, "no memory for ", code.size(),
                 " bytes of machine code: ", std::strerror(errno));
  }
  std::memcpy(made.data_, code.data(), code.size());
  if (mprotect(made.data_, made.size_, PROT_READ | PROT_EXEC) != 0) {
    return error(ErrorCode::io_error,
                 "this system does not let a program make code: ", std::strerror(errno));
  }
  return made;
}

ExecutableMemory::~ExecutableMemory() {
  if (data_ != nullptr) munmap(data_, size_);
}

ExecutableMemory::ExecutableMemory(ExecutableMemory&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

ExecutableMemory& ExecutableMemory::operator=(ExecutableMemory&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

}  // namespace rsr::base
