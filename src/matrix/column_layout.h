// How the columns of a matrix lie in packed weights and in the activations that meet them.
#pragma once

#include <cstdint>
#include <vector>

#include "base/thread_pool.h"

namespace rsr::matrix {

/// Columns in segments: one segment without group scales, one per group with them. Each segment is
/// padded to whole kernel steps, so that a step never crosses a change of scale.
class ColumnLayout {
 public:
  ColumnLayout() = default;
  ColumnLayout(int64_t cols, int64_t group_size, int64_t step)
      : cols_(cols),
        segment_cols_(group_size > 0 && group_size < cols ? group_size : cols),
        step_(step) {}

  int64_t cols() const { return cols_; }
  int64_t step() const { return step_; }
  /// Columns of a group; 0 when there is one segment only.
  int64_t group_size() const { return segments() > 1 ? segment_cols_ : 0; }
  int64_t segments() const { return (cols_ + segment_cols_ - 1) / segment_cols_; }
  /// The columns of a segment.
  base::Range columns(int64_t segment) const {
    const int64_t begin = segment * segment_cols_;
    return {begin, begin + segment_cols_ < cols_ ? begin + segment_cols_ : cols_};
  }
  /// Kernel steps of a full segment; the last one may have fewer.
  int64_t steps_per_segment() const { return (segment_cols_ + step_ - 1) / step_; }
  int64_t steps(int64_t segment) const {
    const base::Range range = columns(segment);
    return (range.end - range.begin + step_ - 1) / step_;
  }
  /// Steps of a whole row.
  int64_t total_steps() const {
    return (segments() - 1) * steps_per_segment() + steps(segments() - 1);
  }
  /// Padded columns of a whole row.
  int64_t padded_cols() const { return total_steps() * step_; }
  /// True when padding lies at the end of a row only: activations can be read as they are.
  bool contiguous() const { return segments() == 1 || segment_cols_ % step_ == 0; }

  /// Calls visit(column, its padded place) for every column, in order.
  template <class Visit>
  void for_each_column(const Visit& visit) const {
    for (int64_t s = 0; s < segments(); ++s) {
      const base::Range range = columns(s);
      const int64_t shift = s * steps_per_segment() * step_ - range.begin;
      for (int64_t c = range.begin; c < range.end; ++c) visit(c, c + shift);
    }
  }

  /// Copies one row of `cols` elements into its padded places; the padding is set to zero.
  template <class T>
  void spread(const T* row, T* padded) const {
    for (int64_t s = 0; s < segments(); ++s) {
      const base::Range range = columns(s);
      T* out = padded + s * steps_per_segment() * step_;
      const int64_t used = range.end - range.begin;
      for (int64_t c = 0; c < used; ++c) out[c] = row[range.begin + c];
      for (int64_t c = used; c < steps(s) * step_; ++c) out[c] = T{};
    }
  }

 private:
  int64_t cols_ = 0;
  int64_t segment_cols_ = 1;
  int64_t step_ = 1;
};

}  // namespace rsr::matrix
