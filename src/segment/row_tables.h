// The dual of column groups: equal row segments share one partial sum, found by look-up.
//
//            cols                 W is cut into groups of c columns (the last may be narrower). In
//      +-----+-----+-----+        a group, a row is a segment of c digits: at most 2^c (3^c)
//      | 17  | 202 | 3   |        different ones. All their sums with x are a table of 2^c (3^c)
// rows |  4  |  17 | 1   |        entries, built with one addition per entry; a row then adds one
//      | 17  |  99 | 3   |        entry per group. Nothing depends on the weights but the codes.
//      +-----+-----+-----+
//
//   codes   uint8 [groups][rows]    code of a segment, its column i being digit i:
//                                   binary   sum of w_i 2^i          (c up to 8)
//                                   ternary  sum of (w_i + 1) 3^i    (c up to 5)
//
// Groups are the outer index because one table (2 KB at most) then serves all rows from the first
// level cache. This is the portable reference.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "base/thread_pool.h"
#include "segment/cell_sums.h"
#include "segment/column_groups.h"

namespace rsr::segment {

struct RowTables {
  int64_t rows = 0;
  int64_t cols = 0;
  int group_cols = 0;
  Alphabet alphabet = Alphabet::binary;
  std::vector<uint8_t> codes;

  int64_t group_count() const { return (cols + group_cols - 1) / group_cols; }
  /// Columns of a group: group_cols, or fewer in the last one.
  int width(int64_t group) const {
    const int64_t left = cols - group * group_cols;
    return left < group_cols ? static_cast<int>(left) : group_cols;
  }
};

inline constexpr int kMaxTableCols = 8;
inline constexpr int kMaxTableColsTernary = 5;

/// Errors: a bad shape, `group_cols` outside 1 to 8 (5 for ternary), a value outside the alphabet.
Result<RowTables> build_row_tables(const RowSource& source, int64_t rows, int64_t cols,
                                   Alphabet alphabet, int group_cols);

/// table[2^n] of the sums of all segments of n binary digits: 2^n - 1 additions.
template <class X>
void fill_binary_table(const X* x, int n, Sum<X>* table) noexcept {
  table[0] = Sum<X>{};
  int size = 1;
  for (int i = 0; i < n; ++i, size *= 2) {
    const Sum<X> value = widen(x[i]);
    for (int j = 0; j < size; ++j) table[size + j] = table[j] + value;
  }
}

/// table[3^n] of the sums of all segments of n ternary digits: 3^n - 1 additions after the n of the
/// first entry, the segment of only -1.
template <class X>
void fill_ternary_table(const X* x, int n, Sum<X>* table) noexcept {
  table[0] = Sum<X>{};
  for (int i = 0; i < n; ++i) table[0] -= widen(x[i]);
  int size = 1;
  for (int i = 0; i < n; ++i, size *= 3) {
    const Sum<X> value = widen(x[i]);
    for (int j = 0; j < 2 * size; ++j) table[size + j] = table[j] + value;
  }
}

/// y[rows.begin .. rows.end) = W x for those rows. `scratch` has one Sum per row of the range: int8
/// sums are exact in 32 bits, float sums are double and rounded once, with an error of at most
/// 2^-24 |y| + 1e-8 sum |x|.
template <class X, class Y>
void multiply_rows(const RowTables& tables, const X* x, base::Range rows, Sum<X>* scratch,
                   Y* y) noexcept {
  const int64_t count = rows.end - rows.begin;
  for (int64_t r = 0; r < count; ++r) scratch[r] = Sum<X>{};
  std::array<Sum<X>, 1 << kMaxTableCols> table;
  for (int64_t g = 0; g < tables.group_count(); ++g) {
    const X* part = x + g * tables.group_cols;
    if (tables.alphabet == Alphabet::binary) {
      fill_binary_table(part, tables.width(g), table.data());
    } else {
      fill_ternary_table(part, tables.width(g), table.data());
    }
    const uint8_t* codes = tables.codes.data() + g * tables.rows + rows.begin;
    for (int64_t r = 0; r < count; ++r) scratch[r] += table[codes[r]];
  }
  for (int64_t r = 0; r < count; ++r) y[rows.begin + r] = static_cast<Y>(scratch[r]);
}

}  // namespace rsr::segment
