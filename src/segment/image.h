// Writing and reading the images of indexes: little-endian numbers, one after the other.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace rsr::segment {

class Writer {
 public:
  explicit Writer(size_t size) { out_.reserve(size); }
  template <class T>
  void number(T value) {
    const auto bits = static_cast<uint64_t>(value);
    for (size_t i = 0; i < sizeof(T); ++i) out_.push_back(static_cast<std::byte>(bits >> 8 * i));
  }
  template <class T>
  void array(std::span<const T> values) {
    for (const T v : values) number(v);
  }
  std::vector<std::byte> take() { return std::move(out_); }

 private:
  std::vector<std::byte> out_;
};

// Reads past the end give zeros; from_bytes compares sizes before it reads arrays.
class Reader {
 public:
  explicit Reader(std::span<const std::byte> bytes) : bytes_(bytes) {}
  template <class T>
  T number() {
    uint64_t bits = 0;
    for (size_t i = 0; i < sizeof(T) && place_ < bytes_.size(); ++i, ++place_) {
      bits |= static_cast<uint64_t>(bytes_[place_]) << 8 * i;
    }
    return static_cast<T>(bits);
  }
  template <class T>
  void array(std::vector<T>& out, int64_t size) {
    out.resize(static_cast<size_t>(size));
    for (T& v : out) v = number<T>();
  }
  size_t left() const { return bytes_.size() - place_; }

 private:
  std::span<const std::byte> bytes_;
  size_t place_ = 0;
};

}  // namespace rsr::segment
