// A matrix as RSR's index: column groups, lanes or slices (drawn in segment/column_groups.h,
// lane_groups.h and group_slices.h).
#pragma once

#include <cstdint>
#include <variant>

#include "linear/rsr_choice.h"
#include "matrix/column_layout.h"
#include "matrix/values.h"
#include "rsr/linear.h"
#include "segment/column_groups.h"
#include "segment/group_slices.h"
#include "segment/lane_forms.h"
#include "segment/lane_groups.h"

namespace rsr::linear {

class RsrWeight {
 public:
  using Index = std::variant<segment::ColumnGroups, segment::LaneGroups, segment::GroupSlices>;

  /// Builds the index of a checked matrix for `options.form` and `options.k` (0: chosen by cost).
  /// A matrix of signs is stored as the binary matrix B of W = 2 B - 1.
  static Result<RsrWeight> build(const MatrixView& matrix, const matrix::RowReader& values,
                                 const PrepareOptions& options, int64_t group_size);

  /// Slices of groups where choose_index() wants them, else the groups as they are.
  static Index sliced(segment::ColumnGroups groups, const RsrQuestion& question);

  /// A weight from the parts of another one: `index` as from_bytes() or lanes_from_bytes() check
  /// them. Errors: parts that do not belong together.
  static Result<RsrWeight> restored(Index index, RsrForm form, bool signs, int64_t group_size);

  /// The index, whichever it is; null for the others.
  const segment::ColumnGroups* groups() const {
    return std::get_if<segment::ColumnGroups>(&index_);
  }
  const segment::LaneGroups* lanes() const { return std::get_if<segment::LaneGroups>(&index_); }
  const segment::GroupSlices* slices() const { return std::get_if<segment::GroupSlices>(&index_); }
  RsrIndex kind() const { return static_cast<RsrIndex>(index_.index()); }

  // What all have.
  int64_t rows() const {
    return std::visit([](const auto& i) { return i.rows; }, index_);
  }
  int64_t cols() const {
    return std::visit([](const auto& i) { return i.cols; }, index_);
  }
  int64_t tile_cols() const {
    return std::visit([](const auto& i) { return i.tile_cols; }, index_);
  }
  int k() const {
    return std::visit([](const auto& i) { return i.k; }, index_);
  }
  segment::Alphabet alphabet() const {
    return std::visit([](const auto& i) { return i.alphabet; }, index_);
  }
  int64_t nbytes() const {
    return std::visit([](const auto& i) { return i.nbytes(); }, index_);
  }
  int64_t block_count() const { return (rows() + k() - 1) / k(); }
  int64_t tile_count() const { return (cols() + tile_cols() - 1) / tile_cols(); }

  RsrForm form() const { return form_; }
  bool signs() const { return signs_; }
  const matrix::ColumnLayout& layout() const { return layout_; }
  /// For lanes only.
  const segment::LaneForm& lane_form() const { return lane_form_; }

  /// Index tiles that make up a segment of the layout: one tile, or all when there is one segment.
  base::Range index_tiles(int64_t segment) const {
    if (layout_.segments() == 1) return {0, tile_count()};
    return {segment, segment + 1};
  }

 private:
  RsrWeight(Index index, RsrForm form, bool signs, matrix::ColumnLayout layout);

  Index index_;
  RsrForm form_;
  bool signs_;
  matrix::ColumnLayout layout_;
  segment::LaneForm lane_form_;
};

}  // namespace rsr::linear
