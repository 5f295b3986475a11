// From the sums of a cell's slices (group_slices.h) to its rows: the last step of RSR.
#pragma once

#include <cstdint>
#include <span>

#include "segment/cell_forms.h"
#include "segment/group_slices.h"

namespace rsr::segment {

/// The place of a pattern in a fold's table.
inline int64_t table_place(Alphabet alphabet, uint32_t pattern, int64_t size) noexcept {
  if (alphabet == Alphabet::binary) return pattern;
  return (size - 1) / 2 + kTernaryWeights[pattern & 0xFFFFu] - kTernaryWeights[pattern >> 16];
}

/// rows[k] += product of a cell from its patterns and the sum of each, in the slices' order.
/// `table` has pattern_count() entries for a fold. Where there is no group the pattern is 0, and so
/// is the sum.
template <class Value>
void add_slices(Form form, const GroupSlices& slices, std::span<const uint32_t> patterns,
                const Value* sums, Value* table, Value* rows) noexcept {
  if (form == Form::fold) {
    int64_t size = pattern_count(slices.alphabet, slices.k);
    for (int64_t j = 0; j < size; ++j) table[j] = Value{};
    for (size_t g = 0; g < patterns.size(); ++g) {
      table[table_place(slices.alphabet, patterns[g], size)] = sums[g];
    }
    for (int r = slices.k - 1; r >= 0; --r) {
      rows[r] = slices.alphabet == Alphabet::binary ? fold_halves(table, size /= 2, rows[r])
                                                    : fold_thirds(table, size /= 3, rows[r]);
    }
    return;
  }
  Value cell[kMaxBlockRows] = {};
  const auto scatter = [&](auto lanes) {
    for (size_t g = 0; g < patterns.size(); ++g)
      add_digits<lanes.value>(cell, sums[g], patterns[g]);
  };
  if (slices.k <= 4) {
    scatter(std::integral_constant<int, 4>{});
  } else if (slices.k <= 8) {
    scatter(std::integral_constant<int, 8>{});
  } else {
    scatter(std::integral_constant<int, 12>{});
  }
  for (int r = 0; r < slices.k; ++r) rows[r] += cell[r];
}

}  // namespace rsr::segment
