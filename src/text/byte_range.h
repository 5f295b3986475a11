// A half-open range of bytes in a text.
#pragma once

#include <cstddef>

namespace rsr::text {

struct ByteRange {
  size_t begin = 0;
  size_t end = 0;

  size_t size() const { return end - begin; }
  bool operator==(const ByteRange&) const = default;
};

}  // namespace rsr::text
