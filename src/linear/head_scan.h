// The best rows of a large 16-bit table (an LM head), provably those of the full product, reading
// half of its bytes: a scan of int8 rows says within which bounds each logit lies, and only rows
// that can be among the best are multiplied in full. docs/lm_head.md has the figures.
//
// The bound. Columns have factors t, powers of two; below, w stands for a row's w_c / t_c and x for
// the vector's x_c t_c: the same products, none of them rounded. A row is kept as w = s q + e: a
// scale, integers of -127 to 127, the error. The vector is x = a X + d: a power of two, integers X
// of 16 bits (256 high + low), the error. Then
//
//   w x  =  s a (q X)  +  e (a X)  +  w d
//
// q X is computed exactly. |.| of a vector being its Euclidean norm, O any set of columns (those
// where |x| is far above the rest: outlier channels), R the others, and a X = x - d:
//
//   |e (a X)|  <=  |e x| + |e d|  <=  max|e| * sum over O of |x|  +  |e| * |x_R|  +  |e| |d|
//   |w d|      <=  |w| |d|
//
// (Hoelder's inequality on O, Cauchy and Schwarz's elsewhere.)
//
// The logit is not w x but its sum in float, in the order of kernels/dense/dense.h: each term meets
// n = ceil(cols / 16) + 5 roundings at most, u = 2^-24, and is off by at most
//
//   n u / (1 - n u) * sum of |w_c x_c|  <=  n u / (1 - n u) * |w| |x|
//
// What is compared is no exact q X either: two sums become floats, are joined, scaled, and the
// radius added: at most 4.1 u (|w| + |e|) P, P = a (256 |high| + |low|), of which 8 are granted. So
//
//   |logit - float(s a (q X))|  <=  radius  =  max|e| * A + |e| * B + (|w| + |e|) * C + tiny
//   A = sum over O of |x|,  B = |x_R| + |d|,  C = |d| + n u / (1 - n u) * |x| + 8 u P
//
// A, B and C are computed in double and enlarged by 2^-18, far above the roundings of the radius
// itself. tiny (1e-30) is more than all that underflow can do; overflow is excluded by asking that
// |x| + P and (|w| + |e|) * (|x| + P) stay below 1e30, else the full product must be taken.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "base/aligned.h"
#include "linear/context.h"
#include "linear/head_scan_form.h"
#include "linear/linear.h"

namespace rsr::linear {

/// What happens to scores between the head and the choice: penalties and biases. change(id, score)
/// must not fall where the score rises. Ids that are not listed keep their score.
struct ScoreChanges {
  std::span<const int32_t> ids = {};
  std::function<double(int32_t id, double score)> change = {};
};

/// Which rows are wanted, counting scores after the changes.
struct HeadQuery {
  const float* x = nullptr;  // [cols]
  int64_t rows = 0;          // the first rows of the table; the others (padding) do not count
  int64_t best = 1;          // the best so many, the lower id first among equals,
  double window = 0;         // and every row less than this below the last of them
  const ScoreChanges* changes = nullptr;
};

/// Rows that hold all that are wanted, and more as a rule; ids ascend. The logits have the bits of
/// multiply_dense, before any change.
struct HeadCandidates {
  std::span<const int32_t> ids;
  std::span<const float> logits;
};

/// Memory of find_candidates(); it only grows.
struct HeadScanScratch {
  base::AlignedArray<int8_t> x;
  base::AlignedArray<int32_t> high;
  base::AlignedArray<int32_t> low;
  base::AlignedArray<float> lower;  // bounds of the scores, by row
  base::AlignedArray<float> upper;
  base::AlignedArray<float> tile_lower;  // the largest of 16 rows
  base::AlignedArray<float> tile_upper;
  base::AlignedArray<float> all_logits;  // by row, written for candidates only
  std::vector<float> best;               // a heap of the largest lower bounds
  std::vector<int32_t> ids;
  std::vector<float> logits;
};

/// The candidates of a table, by its scan form. Nothing when the bound cannot vouch for them (x is
/// not finite, or so large that a logit could overflow): then only the full product can tell. The
/// spans are valid until the next call with this scratch.
std::optional<HeadCandidates> find_candidates(Context::Impl& context, const Dense& table,
                                              const HeadScanForm& form, const HeadQuery& query,
                                              HeadScanScratch& scratch);

}  // namespace rsr::linear
