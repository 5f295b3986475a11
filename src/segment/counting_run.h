// For tests: runs one block with numbers that count their additions.
#pragma once

#include "segment/cell_forms.h"
#include "segment/counting.h"
#include "segment/oracle.h"
#include "segment/test_matrices.h"

namespace rsr::segment {

struct CountingRun {
  int64_t columns = 0;  // that are not all zero
  int64_t groups = 0;
  int64_t additions = 0;
  int64_t nonzeros = 0;  // additions of a product weight by weight
  bool right = false;    // the sums were those of the dense product
};

/// A block of k rows, not wider than one tile.
inline CountingRun count_block(Form form, const TestMatrix& m, int k) {
  const ColumnGroups g =
      build(m.source(), k, m.cols, {m.alphabet, required_order(form), k, 0}).value();
  const std::vector<int8_t> values = random_int8(m.cols, 99);
  std::vector<CountedInput> x(values.size());
  for (size_t c = 0; c < x.size(); ++c) x[c].value = values[c];
  const auto table_size =
      static_cast<size_t>(form == Form::fold ? pattern_count(m.alphabet, k) : 0);
  std::vector<Counted> table(table_size);
  std::vector<Counted> running(static_cast<size_t>(m.cols));
  Counted acc[kMaxBlockRows] = {};
  Counted::additions = 0;
  add_cell<CountedInput>(form, g, 0, x.data(), {table.data(), running.data()}, acc);
  CountingRun run;
  run.additions = Counted::additions;
  run.columns = g.cell_columns[1];
  run.groups = g.cell_groups[1];
  for (const int8_t v : m.w) run.nonzeros += v != 0;
  const std::vector<int64_t> expected = dense_product(m.w, values);
  run.right = true;
  for (int r = 0; r < k; ++r) run.right = run.right && acc[r].value == expected[r];
  return run;
}

/// A block in which each of the 2^k or 3^k patterns has the same number of columns.
inline CountingRun count_full_block(Form form, Alphabet alphabet, int k, int64_t copies) {
  const int64_t base = alphabet == Alphabet::binary ? 2 : 3;
  TestMatrix m{k, pattern_count(alphabet, k) * copies, alphabet, {}};
  int64_t divisor = copies;
  for (int r = 0; r < k; ++r, divisor *= base) {
    for (int64_t c = 0; c < m.cols; ++c) {
      m.w.push_back(static_cast<int8_t>(c / divisor % base - (base - 2)));
    }
  }
  return count_block(form, m, k);
}

}  // namespace rsr::segment
