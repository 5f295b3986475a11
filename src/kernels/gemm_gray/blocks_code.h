// The reflected Gray code of k digits in base 2 or 3, known to the compiler: segment/gray_stream.h
// sorts groups by it. Row 0 changes most often.
#pragma once

#include <cstdint>

namespace rsr::kernels {
namespace {

template <int digits, int rows>
struct GrayCode {
  static constexpr int kDigits = digits;
  static constexpr int kRows = rows;
  static constexpr int kPatterns = [] {
    int count = 1;
    for (int r = 0; r < rows; ++r) count *= digits;
    return count;
  }();

  /// Digit of a row in the pattern of a rank: 0 and 1, or -1, 0 and +1.
  static constexpr int digit(int rank, int row) {
    // The digits above decide the direction: every second sweep of the lower ones runs backwards.
    int power = 1;
    for (int r = 0; r < row; ++r) power *= digits;
    const int above = rank / power / digits;
    const int place = rank / power % digits;
    const int value = above % 2 != 0 ? digits - 1 - place : place;
    return digits == 2 ? value : value - 1;
  }
  /// The row in which the patterns of rank - 1 and rank differ.
  static constexpr int changed_row(int rank) {
    for (int r = 0; r < rows; ++r) {
      if (digit(rank, r) != digit(rank - 1, r)) return r;
    }
    return -1;
  }
  static constexpr bool rises(int rank) {
    const int r = changed_row(rank);
    return digit(rank, r) > digit(rank - 1, r);
  }
};

}  // namespace
}  // namespace rsr::kernels
