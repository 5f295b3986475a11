// Inside multiply(): one cell in each of the three forms.
//
// Templates over the element type, so that a test can run them with a type that counts additions,
// and over the way that groups are summed (cell_sums.h).
#pragma once

#include <array>
#include <bit>
#include <cstdint>

#include "segment/cell_sums.h"
#include "segment/column_groups.h"
#include "segment/multiply.h"

namespace rsr::segment {

/// One cell's part of the index.
struct Cell {
  const uint32_t* patterns = nullptr;
  const uint16_t* lasts = nullptr;
  const uint16_t* columns = nullptr;
  int64_t group_count = 0;
  int64_t column_count = 0;

  /// The place after the last column of group g.
  int64_t end(int64_t g) const noexcept { return lasts[g] + int64_t{1}; }
};

inline Cell cell_of(const ColumnGroups& groups, int64_t cell) noexcept {
  const int64_t group = groups.cell_groups[cell];
  const int64_t column = groups.cell_columns[cell];
  return {groups.patterns.data() + group, groups.lasts.data() + group,
          groups.columns.data() + column, groups.cell_groups[cell + 1] - group,
          groups.cell_columns[cell + 1] - column};
}

/// acc[r] += sum * digit r, without branches: a masked addition of every lane costs less than
/// jumping to the rows that a pattern has.
template <int kLanes>
void add_digits(uint32_t* acc, uint32_t sum, uint32_t pattern) noexcept {
  static constexpr auto kBits = [] {
    std::array<uint32_t, kLanes> bits{};
    for (int r = 0; r < kLanes; ++r) bits[r] = 1u << r;
    return bits;
  }();
  const uint32_t minus = pattern >> 16;
  for (int r = 0; r < kLanes; ++r) acc[r] += (pattern & kBits[r]) != 0 ? sum : 0;
  if (minus == 0) return;
  for (int r = 0; r < kLanes; ++r) acc[r] -= (minus & kBits[r]) != 0 ? sum : 0;
}
template <int kLanes>
void add_digits(double* acc, double sum, uint32_t pattern) noexcept {
  const double choice[2] = {0, sum};
  const uint32_t minus = pattern >> 16;
  for (int r = 0; r < kLanes; ++r) acc[r] += choice[pattern >> r & 1u];
  if (minus == 0) return;
  for (int r = 0; r < kLanes; ++r) acc[r] -= choice[minus >> r & 1u];
}

/// In all forms acc[16] is zero at first and has the cell's product afterwards.
/// kLanes is k rounded up to a multiple of four.
template <int kLanes, class Value, class Sums>
void scatter_cell(const Cell& cell, Sums sums, Value* acc) noexcept {
  Value rows[kLanes] = {};
  for (int64_t g = 0; g < cell.group_count; ++g) {
    add_digits<kLanes>(rows, sums.next(cell.end(g)), cell.patterns[g]);
  }
  for (int r = 0; r < kLanes; ++r) acc[r] = rows[r];
}

/// Groups in Gray order. With P the running sum and d the digit of a row, Abel summation gives
/// sum_g d_g s_g = d_last P_last - sum over boundaries (d_next - d_before) P: a row costs an
/// addition only where its digit changes.
template <class Value, class Sums>
void gray_cell(const Cell& cell, Sums sums, Value* acc) noexcept {
  if (cell.group_count == 0) return;
  uint32_t before = cell.patterns[0];
  Value running = sums.next_running(cell.end(0));
  for (int64_t g = 1; g < cell.group_count; ++g) {
    const uint32_t pattern = cell.patterns[g];
    const uint32_t change = pattern ^ before;
    for (uint32_t left = (change | change >> 16) & 0xFFFFu; left != 0; left &= left - 1) {
      const int r = std::countr_zero(left);
      acc[r] -= times(running, digit_of(pattern, r) - digit_of(before, r));
    }
    running = sums.next_running(cell.end(g));
    before = pattern;
  }
  for (uint32_t left = (before | before >> 16) & 0xFFFFu; left != 0; left &= left - 1) {
    const int r = std::countr_zero(left);
    acc[r] += times(running, digit_of(before, r));
  }
}

/// acc plus the sum of n >= 1 table entries in eight chains: n additions.
template <class Value>
Value add_entries(Value acc, const Value* u, int64_t n) noexcept {
  if (n < 8) {
    for (int64_t j = 0; j < n; ++j) acc += u[j];
    return acc;
  }
  Value chain[8] = {u[0], u[1], u[2], u[3], u[4], u[5], u[6], u[7]};
  int64_t j = 8;
  for (; j + 8 <= n; j += 8) {
    for (int c = 0; c < 8; ++c) chain[c] += u[j + c];
  }
  for (; j < n; ++j) chain[0] += u[j];
  for (int half = 4; half > 0; half /= 2) {
    for (int c = 0; c < half; ++c) chain[c] += chain[c + half];
  }
  return acc + chain[0];
}

/// One step of RSR++: folds a table of 2 * half sums over the row that is its highest digit, and
/// returns acc plus that row's sum. Half of the table remains, for the rows below.
template <class Value>
Value fold_halves(Value* u, int64_t half, Value acc) noexcept {
  acc = add_entries(acc, u + half, half);
  if (half == 1) return acc;  // nothing below
  for (int64_t j = 0; j < half; ++j) u[j] += u[j + half];
  return acc;
}

/// The same in base 3: the upper third of the table has digit +1, the lower one -1.
template <class Value>
Value fold_thirds(Value* u, int64_t third, Value acc) noexcept {
  acc = add_entries(acc, u + 2 * third, third);
  acc -= add_entries(u[0], u + 1, third - 1);
  if (third == 1) return acc;
  for (int64_t j = 0; j < third; ++j) u[j] += u[j + third] + u[j + 2 * third];
  return acc;
}

inline constexpr int kMaxFoldBinary = 12;
inline constexpr int kMaxFoldTernary = 7;

inline int64_t pattern_count(Alphabet alphabet, int k) noexcept {
  int64_t count = 1;
  for (int r = 0; r < k; ++r) count *= alphabet == Alphabet::binary ? 2 : 3;
  return count;
}

/// For each set of rows the sum of 3^row: a ternary pattern's place in the table of 3^k sums is
/// (3^k - 1) / 2 + weight[plus] - weight[minus], that is, its digits plus one, read in base 3.
inline constexpr auto kTernaryWeights = [] {
  std::array<uint16_t, 1 << kMaxFoldTernary> weights{};
  for (unsigned mask = 0; mask < weights.size(); ++mask) {
    unsigned power = 1;
    for (int r = 0; r < kMaxFoldTernary; ++r, power *= 3) {
      if ((mask >> r & 1u) != 0) weights[mask] = static_cast<uint16_t>(weights[mask] + power);
    }
  }
  return weights;
}();

/// A dense table of sums by pattern, then one fold per row, the highest row first: so each fold
/// adds parts of the table that lie side by side in memory.
template <class Value, class Sums>
void fold_binary_cell(const Cell& cell, Sums sums, int k, Value* u, Value* acc) noexcept {
  const int64_t size = pattern_count(Alphabet::binary, k);
  for (int64_t j = 0; j < size; ++j) u[j] = Value{};
  for (int64_t g = 0; g < cell.group_count; ++g) u[cell.patterns[g]] = sums.next(cell.end(g));
  int64_t half = size;
  for (int r = k - 1; r >= 0; --r) acc[r] = fold_halves(u, half /= 2, acc[r]);
}

template <class Value, class Sums>
void fold_ternary_cell(const Cell& cell, Sums sums, int k, Value* u, Value* acc) noexcept {
  const int64_t size = pattern_count(Alphabet::ternary, k);
  for (int64_t j = 0; j < size; ++j) u[j] = Value{};
  for (int64_t g = 0; g < cell.group_count; ++g) {
    const uint32_t pattern = cell.patterns[g];
    const int64_t place =
        (size - 1) / 2 + kTernaryWeights[pattern & 0xFFFFu] - kTernaryWeights[pattern >> 16];
    u[place] = sums.next(cell.end(g));
  }
  int64_t third = size;
  for (int r = k - 1; r >= 0; --r) acc[r] = fold_thirds(u, third /= 3, acc[r]);
}

/// Scratch for one thread: the fold's table, then the running sums of a cell.
template <class Value>
struct Scratch {
  Value* table = nullptr;
  Value* running = nullptr;
};

template <class Value, class Sums>
void add_cell_by(Form form, const ColumnGroups& groups, const Cell& cell, Sums sums, Value* table,
                 Value* acc) noexcept {
  if (form == Form::gray) return gray_cell(cell, sums, acc);
  if (form == Form::fold) {
    if (groups.alphabet == Alphabet::binary) {
      return fold_binary_cell(cell, sums, groups.k, table, acc);
    }
    return fold_ternary_cell(cell, sums, groups.k, table, acc);
  }
  if (groups.k <= 4) return scatter_cell<4>(cell, sums, acc);
  if (groups.k <= 8) return scatter_cell<8>(cell, sums, acc);
  if (groups.k <= 12) return scatter_cell<12>(cell, sums, acc);
  return scatter_cell<16>(cell, sums, acc);
}

/// Cells with more columns per group than this are summed group by group, others by running sums.
/// Measured on 2560 x 2560, fold: with 40 columns per group (binary, k = 6) running sums take 0.46
/// ms against 0.63; with 80 (k = 5) the two are equal; with 95 (ternary, k = 3) they lose by 5%.
inline constexpr int64_t kDirectAbove = 64;

/// acc[k] += the product of one cell; x is that of the cell's tile. The cell has accumulators of
/// its own, so that the error of a sum over many tiles grows with the tiles and not with their
/// groups.
template <class X>
void add_cell(Form form, const ColumnGroups& groups, int64_t index, const X* x,
              const Scratch<Sum<X>>& scratch, Sum<X>* acc) noexcept {
  const Cell cell = cell_of(groups, index);
  Sum<X> rows[kMaxBlockRows] = {};
  if (cell.column_count > kDirectAbove * cell.group_count) {
    add_cell_by(form, groups, cell, DirectSums<X>(x, cell.columns), scratch.table, rows);
  } else {
    const RunningSums<X> sums(x, cell.columns, cell.column_count, scratch.running);
    add_cell_by(form, groups, cell, sums, scratch.table, rows);
  }
  for (int r = 0; r < groups.k; ++r) acc[r] += rows[r];
}

}  // namespace rsr::segment
