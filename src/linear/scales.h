// The scales of a prepared matrix: one for all, one per row, or one per row and group of columns.
#pragma once

#include <cstdint>
#include <span>

#include "base/shared_span.h"
#include "rsr/linear.h"

namespace rsr::linear {

class Scales {
 public:
  /// Checks and copies the scales of `options` for a rows x cols matrix whose values carry the
  /// scale `of_values`. Errors name the option and the place in it.
  static Result<Scales> create(const PrepareOptions& options, int64_t rows, int64_t cols,
                               float of_values);

  /// Scales as another Scales gave them: `rows` [rows] or empty, `groups` [tiles][groups][16] or
  /// empty. The caller has checked lengths and values.
  static Scales restored(float matrix, base::SharedSpan<float> rows, base::SharedSpan<float> groups,
                         int64_t group_size, int64_t group_count);

  /// The same scales in memory of their own.
  Scales copied() const;

  bool grouped() const { return group_size_ > 0; }
  /// Columns per group; 0 when scales do not depend on the column.
  int64_t group_size() const { return group_size_; }
  int64_t group_count() const { return group_count_; }

  /// The scale of a row, for ungrouped scales.
  float row(int64_t r) const { return rows_.empty() ? matrix_ : rows_[r]; }
  /// The scale of a row in a group of columns, for grouped scales.
  float group(int64_t r, int64_t g) const {
    return groups_[static_cast<size_t>((r / 16 * group_count_ + g) * 16 + r % 16)];
  }

  /// What kernels read: the scale of all rows, or [rows], or [tiles of 16 rows][groups][16].
  float of_matrix() const { return matrix_; }
  const float* of_rows() const { return rows_.empty() ? nullptr : rows_.data(); }
  const float* of_groups() const { return groups_.empty() ? nullptr : groups_.data(); }

  int64_t nbytes() const;

 private:
  /// Scales per group as they are kept, those of matrix and rows multiplied in.
  Result<base::SharedSpan<float>> groups_of(std::span<const float> given, int64_t rows) const;

  float matrix_ = 1.0f;
  base::SharedSpan<float> rows_;    // [rows], the matrix scale multiplied in
  base::SharedSpan<float> groups_;  // [tiles, groups, 16], the other two multiplied in
  int64_t group_size_ = 0;
  int64_t group_count_ = 0;
};

}  // namespace rsr::linear
