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
#include "linear/head_vector.h"
#include "linear/linear.h"

namespace rsr::linear {

/// What happens to scores between the head and the choice: penalties and biases. change(id, score)
/// must not fall where the score rises, so that it makes bounds of bounds. Ids that are not listed
/// keep their score.
struct ScoreChanges {
  std::span<const int32_t> ids = {};
  std::function<float(int32_t id, float score)> change = {};
};

/// What is scanned for: a few vectors, for which the form is read once.
struct HeadVectors {
  const float* x = nullptr;  // [batch, cols]
  int64_t batch = 1;         // 1 to kernels::kScanMostBatch
  int64_t rows = 0;          // the first rows of the table; the others (padding) do not count
};

/// Which rows are wanted of one vector, counting scores after the changes.
struct HeadQuery {
  int64_t vector = 0;
  int64_t best = 1;   // the best so many, the lower id first among equals,
  double window = 0;  // and every row less than this below the last of them
  const ScoreChanges* changes = nullptr;
};

/// Rows that hold all that are wanted, and more as a rule; ids ascend. The logits have the bits of
/// multiply_dense, before any change.
struct HeadCandidates {
  std::span<const int32_t> ids;
  std::span<const float> logits;
};

/// Two steps, so that what is done to a vector's scores may be known later than the vector. Its
/// memory only grows.
class HeadScan {
 public:
  /// First, bounds of all logits. False when they cannot be vouched for (x is not finite, or so
  /// large that a logit could overflow): then only the full product can tell.
  bool bound(Context::Impl& context, const HeadScanForm& form, const HeadVectors& vectors);

  /// Then, once for each vector, which still must be there: the candidates of the table. The spans
  /// are valid until the next call.
  HeadCandidates candidates(Context::Impl& context, const Dense& table, const HeadQuery& query);

  /// Between the steps: the bounds of a vector's logits, by row.
  std::span<const float> lower(int64_t vector) const { return of(lower_, vector); }
  std::span<const float> upper(int64_t vector) const { return of(upper_, vector); }

 private:
  /// Bounds of one vector: by row, and the largest of each tile of 16 rows.
  struct Bounds {
    float* lower;
    float* upper;
    float* tile_lower;
    float* tile_upper;
  };

  void reserve(const HeadScanForm& form);
  bool make_planes(const HeadScanForm& form);
  void bound_tile(const HeadScanForm& form, int64_t vector, int64_t tile);
  void apply_changes(const ScoreChanges& changes, const Bounds& bounds) const;
  double threshold(const HeadQuery& query, const Bounds& bounds);
  void collect(double least, const Bounds& bounds);
  void rescore(Context::Impl& context, const Dense& table, const float* x);

  Bounds bounds(int64_t vector);
  std::span<const float> of(const base::AlignedArray<float>& bounds, int64_t vector) const {
    return {bounds.data() + vector * padded_rows_, static_cast<size_t>(vectors_.rows)};
  }
  int64_t used_tiles() const;

  HeadVectors vectors_;
  int64_t padded_rows_ = 0;
  std::vector<HeadVector> planes_of_;  // by vector
  base::AlignedArray<int8_t> planes_;
  base::AlignedArray<int32_t> high_;  // [batch, padded rows], as all of these
  base::AlignedArray<int32_t> low_;
  base::AlignedArray<float> lower_;
  base::AlignedArray<float> upper_;
  base::AlignedArray<float> tile_lower_;  // [batch, tiles]
  base::AlignedArray<float> tile_upper_;
  base::AlignedArray<float> all_logits_;  // by row, written for candidates only
  std::vector<float> best_;               // a heap of the largest lower bounds
  std::vector<int32_t> ids_;
  std::vector<float> logits_;
};

}  // namespace rsr::linear
