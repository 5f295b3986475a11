// A fixed-size array on a 64-byte boundary (one cache line, one zmm register).
#pragma once

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <span>
#include <type_traits>
#include <utility>

namespace rsr::base {

inline constexpr size_t kAlignment = 64;

/// Elements are zero at first. Large arrays ask for transparent huge pages: reading weights through
/// 4 KiB pages costs 3 to 6% of the memory bandwidth.
template <class T>
class AlignedArray {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  AlignedArray() = default;
  explicit AlignedArray(size_t size) : size_(size), data_(allocate(size)) {}
  AlignedArray(const AlignedArray& other) : AlignedArray(other.size_) {
    if (size_ > 0) std::memcpy(data(), other.data(), size_ * sizeof(T));
  }
  AlignedArray& operator=(const AlignedArray& other) { return *this = AlignedArray(other); }
  AlignedArray(AlignedArray&& other) noexcept
      : size_(std::exchange(other.size_, 0)), data_(std::move(other.data_)) {}
  AlignedArray& operator=(AlignedArray&& other) noexcept {
    size_ = std::exchange(other.size_, 0);
    data_ = std::move(other.data_);
    return *this;
  }
  ~AlignedArray() = default;

  T* data() { return data_.get(); }
  const T* data() const { return data_.get(); }
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  T& operator[](size_t i) { return data_.get()[i]; }
  const T& operator[](size_t i) const { return data_.get()[i]; }
  std::span<T> span() { return {data(), size_}; }
  std::span<const T> span() const { return {data(), size_}; }

  /// Grows to at least `size` elements; the old content is gone when it grows.
  void reserve_discard(size_t size) {
    if (size > size_) *this = AlignedArray(size);
  }

 private:
  struct Free {
    void operator()(T* p) const { std::free(p); }
  };
  static T* allocate(size_t size);

  size_t size_ = 0;
  std::unique_ptr<T[], Free> data_;
};

/// Zeroed memory of whole cache lines; throws std::bad_alloc when there is none.
void* allocate_zeroed(size_t bytes);

template <class T>
T* AlignedArray<T>::allocate(size_t size) {
  if (size > SIZE_MAX / sizeof(T)) throw std::bad_alloc();
  return static_cast<T*>(allocate_zeroed(size * sizeof(T)));
}

}  // namespace rsr::base
