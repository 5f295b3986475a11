// A matrix as RSR's column groups (the index is drawn in segment/column_groups.h).
#pragma once

#include <cstdint>

#include "matrix/column_layout.h"
#include "matrix/values.h"
#include "rsr/linear.h"
#include "segment/column_groups.h"

namespace rsr::linear {

class RsrWeight {
 public:
  /// Builds the index of a checked matrix for `options.form` and `options.k` (0: chosen by cost).
  /// A matrix of signs is stored as the binary matrix B of W = 2 B - 1.
  static Result<RsrWeight> build(const MatrixView& matrix, const matrix::RowReader& values,
                                 const PrepareOptions& options, int64_t group_size);

  /// A weight from the parts of another one: `groups` as segment::from_bytes() checks them. Errors:
  /// parts that do not belong together.
  static Result<RsrWeight> restored(segment::ColumnGroups groups, RsrForm form, bool signs,
                                    int64_t group_size);

  const segment::ColumnGroups& groups() const { return groups_; }
  RsrForm form() const { return form_; }
  bool signs() const { return signs_; }
  const matrix::ColumnLayout& layout() const { return layout_; }

  int64_t nbytes() const { return groups_.nbytes(); }

  /// Index tiles that make up a segment of the layout: one tile, or all when there is one segment.
  base::Range index_tiles(int64_t segment) const {
    if (layout_.segments() == 1) return {0, groups_.tile_count()};
    return {segment, segment + 1};
  }

 private:
  segment::ColumnGroups groups_;
  RsrForm form_ = RsrForm::scatter;
  bool signs_ = false;
  matrix::ColumnLayout layout_;
};

}  // namespace rsr::linear
