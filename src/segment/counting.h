// For tests: an element type whose sums count their additions.
#pragma once

#include <cstdint>

#include "segment/cell_sums.h"

namespace rsr::segment {

/// A sum; every +, -, += and -= on it adds one to `additions`.
struct Counted {
  int64_t value = 0;
  static inline int64_t additions = 0;

  Counted& operator+=(Counted other) {
    value += other.value;
    ++additions;
    return *this;
  }
  Counted& operator-=(Counted other) {
    value -= other.value;
    ++additions;
    return *this;
  }
  friend Counted operator+(Counted a, Counted b) { return a += b; }
  friend Counted operator-(Counted a, Counted b) { return a -= b; }
};

/// An element of x.
struct CountedInput {
  int8_t value = 0;
};

template <>
struct SumType<CountedInput> {
  using Type = Counted;
  static Counted widen(CountedInput v) { return {v.value}; }
};

inline Counted times(Counted sum, int digit) {
  return {sum.value * digit};
}

/// As for the real types: all lanes take part, and a pattern with a -1 takes a second pass.
template <int kLanes>
void add_digits(Counted* acc, Counted sum, uint32_t pattern) {
  for (int r = 0; r < kLanes; ++r) acc[r] += times(sum, static_cast<int>(pattern >> r & 1u));
  if (pattern >> 16 == 0) return;
  for (int r = 0; r < kLanes; ++r) acc[r] -= times(sum, static_cast<int>(pattern >> (16 + r) & 1u));
}

}  // namespace rsr::segment
