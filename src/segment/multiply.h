// y = W x from column groups, in three forms that differ in how group sums reach the rows.
//
//   scatter   every group's sum is added to each row of its pattern           (k up to 16)
//   fold      sums go into a table indexed by pattern, which is folded in halves or thirds, one
//             row per fold                                         (k up to 12, 7 for ternary)
//   gray      groups in Gray order: one running sum, one add where a row's digit changes
//                                                                  (k up to 12, 7 for ternary)
//
// x int8 -> y int32: exact for every int8 input and every width that build() accepts. Sums may wrap
// on the way (gray subtracts running sums), so they are unsigned; the result itself always fits.
//
// x float -> y float: every sum is double, and y is rounded once. All forms may take differences of
// running sums over a tile, so the whole block's magnitude enters a row's error, but only through
// double rounding. With S = sum |x| over the columns that are not all zero in the row's block:
//   error of y[row]  <=  2^-24 |y[row]| + 1e-10 S
// for every k and up to 300,000 tiles; derived in docs/algorithm.md. It is below 1e-5 * sum |w x|
// for every row that holds at least a 100,000th of its block's magnitude.
#pragma once

#include <cstdint>

#include "base/thread_pool.h"
#include "rsr/linear.h"
#include "segment/column_groups.h"

namespace rsr::segment {

using Form = RsrForm;  // scatter, fold, gray

/// Fine, or an error that names the largest k of the form.
Status check_form(Form form, Alphabet alphabet, int k);

/// The order to build an index in for a form. Each form is right with either order; gray is only
/// fast when neighbours differ in one row.
Order required_order(Form form);
int max_k(Form form, Alphabet alphabet);

/// Bytes of scratch that multiply() needs for either element type: 8 per column of a tile, and for
/// the fold 8 per possible pattern.
int64_t scratch_bytes(Form form, const ColumnGroups& groups);

/// One input vector and where its product goes. The index is one that build() or from_bytes() made,
/// for a form and k that check_form() accepts.
template <class X, class Y>
struct Product {
  const ColumnGroups* groups = nullptr;
  const X* x = nullptr;     ///< [cols] of the whole matrix
  Y* y = nullptr;           ///< [rows] of the whole matrix; only rows of the blocks are touched
  void* scratch = nullptr;  ///< scratch_bytes(), on a 64-byte boundary; one per thread
};

/// The part of the matrix to multiply. A block's sums run over `tiles` in double (or exact
/// integers) before they are rounded into y. One tile at a time gives each tile its own scale.
struct Part {
  base::Range blocks;
  base::Range tiles;
  bool add = false;  ///< y += instead of y =
};

/// All blocks and tiles.
Part whole(const ColumnGroups& groups);

/// No allocation; threads may run disjoint ranges of blocks at once.
void multiply(Form form, const Product<int8_t, int32_t>& product, const Part& part) noexcept;
void multiply(Form form, const Product<float, float>& product, const Part& part) noexcept;

}  // namespace rsr::segment
