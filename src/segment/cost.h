// What a form costs: additions by formula, an estimate of time, and the k that minimises it.
#pragma once

#include <cstdint>

#include "segment/multiply.h"

namespace rsr::segment {

/// Rows that take part in a scatter's masked addition: k rounded up to a multiple of four.
int scatter_lanes(int k);

/// Additions (and subtractions) that multiply() executes for one cell with `columns` columns in
/// `groups` groups. With b = 2 or 3, L = scatter_lanes(k):
///
///   sums      C - G        group by group, when C > 64 G            (for gray: C)
///             C + 2 G + 3  else, by running sums                    (for gray: C + G + 3)
///   scatter   L G;  ternary L (G + groups with a -1)
///   fold      2 * 2^k - 3;  ternary 2 * 3^k - 4
///   gray      G - 1 boundaries + 1 closing;  ternary G - 1 + k
///   k more    to add the cell's rows to those of the tiles before it
///
/// Exact when every pattern that is not zero occurs. Otherwise the groups with a -1 are taken to be
/// their share among all patterns, and a boundary of gray to change 1 + log_b(patterns / G) / 2
/// rows (counted in random blocks: within 15%).
double cell_additions(Form form, Alphabet alphabet, int k, int64_t columns, int64_t groups);

/// Additions of the sums alone, the first two lines above.
double sum_additions(Form form, int64_t columns, int64_t groups);

/// Bytes of the index for one cell: 2 per column, 6 per group, 16 for its ranges.
int64_t cell_bytes(int64_t columns, int64_t groups);

/// Groups that n columns of uniformly random digits are expected to form (all-zero ones left out).
double expected_groups(Alphabet alphabet, int k, int64_t columns);

/// Estimated CPU cycles for one matrix-vector product of a matrix of random digits: additions, each
/// kind with its measured cost, plus a fifth of a cycle for each byte of the index (about 15 GB/s
/// at 3 GHz). Good for comparing k, not for promising times.
double estimate_cycles(Form form, Alphabet alphabet, int k, int64_t rows, int64_t cols);

/// The k that minimises estimate_cycles, at least 1, at most max_k() and not above the rows. Pass
/// the columns of one tile where tiles are narrower than the matrix.
int choose_k(Form form, Alphabet alphabet, int64_t rows, int64_t cols);

/// Bits per weight of an index with lanes (lane_groups.h) for random digits, in tiles of `cols`.
double lane_bits(Alphabet alphabet, int k, int64_t cols);

/// The k with the fewest bits, at most max_lane_k() and not above the rows. Reading the index is
/// what such a product waits for, so that its bytes are its cost.
int choose_lane_k(Alphabet alphabet, int64_t rows, int64_t cols);

/// As estimate_cycles() and choose_k() for slices of groups (group_slices.h); k at most that of a
/// fold.
double estimate_slice_cycles(Form form, Alphabet alphabet, int k, int64_t rows, int64_t cols);
int choose_slice_k(Form form, Alphabet alphabet, int64_t rows, int64_t cols);

}  // namespace rsr::segment
