// Inside multiply(): number types, and two ways to sum groups of columns.
#pragma once

#include <cstdint>

namespace rsr::segment {

/// What sums over X are computed in, and an element as such a number. The counting test brings a
/// third instance.
template <class X>
struct SumType;
template <>
struct SumType<int8_t> {
  using Type = uint32_t;  // unsigned, because sums may wrap on the way to an exact result
  static Type widen(int8_t v) noexcept {
    return static_cast<Type>(int32_t{v});  // NOLINT(bugprone-signed-char-misuse): a number, no text
  }
};
template <>
struct SumType<float> {
  using Type = double;  // gray subtracts running sums: float would lose the small rows
  static Type widen(float v) noexcept { return v; }
};
template <class X>
using Sum = typename SumType<X>::Type;

template <class X>
Sum<X> widen(X v) noexcept {
  return SumType<X>::widen(v);
}

/// `sum` times a digit or a difference of two digits, -2..2.
inline uint32_t times(uint32_t sum, int digit) noexcept {
  return sum * static_cast<uint32_t>(digit);
}
inline double times(double sum, int digit) noexcept {
  return sum * digit;
}

/// +1, 0 or -1 in row r of a pattern.
inline int digit_of(uint32_t pattern, int r) noexcept {
  return static_cast<int>(pattern >> r & 1u) - static_cast<int>(pattern >> (16 + r) & 1u);
}

/// The sum of x over n >= 1 columns: n - 1 additions in four chains.
template <class X>
Sum<X> sum_columns(const X* x, const uint16_t* columns, int64_t n) noexcept {
  if (n < 4) {
    Sum<X> sum = widen(x[columns[0]]);
    for (int64_t i = 1; i < n; ++i) sum += widen(x[columns[i]]);
    return sum;
  }
  Sum<X> a = widen(x[columns[0]]);
  Sum<X> b = widen(x[columns[1]]);
  Sum<X> c = widen(x[columns[2]]);
  Sum<X> d = widen(x[columns[3]]);
  const uint16_t* const end = columns + n;
  const uint16_t* next = columns + 4;
  for (; end - next >= 4; next += 4) {
    a += widen(x[next[0]]);
    b += widen(x[next[1]]);
    c += widen(x[next[2]]);
    d += widen(x[next[3]]);
  }
  for (; next != end; ++next) a += widen(x[*next]);
  return (a + b) + (c + d);
}

/// Groups one after the other, each summed by itself. Right for long groups.
template <class X>
class DirectSums {
 public:
  DirectSums(const X* x, const uint16_t* columns) noexcept : x_(x), columns_(columns) {}

  /// The sum of the next group, which ends before place `end` of the cell's columns.
  Sum<X> next(int64_t end) noexcept {
    const Sum<X> sum = sum_columns(x_, columns_ + begin_, end - begin_);
    begin_ = end;
    return sum;
  }
  /// The sum of all groups so far, with the next one: for gray.
  Sum<X> next_running(int64_t end) noexcept { return running_ += next(end); }

 private:
  const X* x_;
  const uint16_t* columns_;
  int64_t begin_ = 0;
  Sum<X> running_{};
};

/// Running sums over all columns of a cell first, then a group is a difference of two of them: more
/// work per column, but no loop whose length changes from group to group. A mispredicted loop end
/// costs as much as 15 columns, so this wins for short groups (binary 2560 x 2560, k = 8, ten
/// columns a group: see docs/algorithm.md). Four segments run side by side to hide the latency of
/// the additions.
template <class X>
class RunningSums {
 public:
  /// `sums` [n] is scratch that must outlive this object.
  RunningSums(const X* x, const uint16_t* columns, int64_t n, Sum<X>* sums) noexcept
      : sums_(sums), quarter_(n / 4), limit_(quarter_) {
    const int64_t q = quarter_;
    Sum<X> a{}, b{}, c{}, d{};
    for (int64_t i = 0; i < q; ++i) {
      sums[i] = a += widen(x[columns[i]]);
      sums[q + i] = b += widen(x[columns[q + i]]);
      sums[2 * q + i] = c += widen(x[columns[2 * q + i]]);
      sums[3 * q + i] = d += widen(x[columns[3 * q + i]]);
    }
    for (int64_t i = 4 * q; i < n; ++i) sums[i] = d += widen(x[columns[i]]);
    totals_[0] = a;
    totals_[1] = b;
    totals_[2] = c;
  }

  Sum<X> next(int64_t end) noexcept {
    const Sum<X> before = running_;
    return next_running(end) - before;
  }
  Sum<X> next_running(int64_t end) noexcept {
    while (segment_ < 3 && end > limit_) {
      base_ += totals_[segment_++];
      limit_ += quarter_;
    }
    return running_ = base_ + sums_[end - 1];
  }

 private:
  const Sum<X>* sums_;
  int64_t quarter_;
  int64_t limit_;
  int segment_ = 0;
  Sum<X> base_{};
  Sum<X> running_{};
  Sum<X> totals_[3] = {};
};

}  // namespace rsr::segment
