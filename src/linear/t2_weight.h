// A matrix in format t2 (2-bit codes; the layout is drawn in kernels/matvec/matvec.h).
#pragma once

#include <cstdint>

#include "base/aligned.h"
#include "base/thread_pool.h"
#include "kernels/matvec/matvec.h"
#include "linear/column_layout.h"
#include "matrix/values.h"

namespace rsr::linear {

class T2Weight {
 public:
  /// Packs a checked matrix; `group_size` as in ColumnLayout.
  T2Weight(const matrix::RowReader& values, int64_t rows, int64_t cols, int64_t group_size);

  const ColumnLayout& layout() const { return layout_; }
  /// Rows rounded up to whole tiles: the length that products need.
  int64_t padded_rows() const { return tiles_ * kernels::kT2Rows; }
  int64_t tiles() const { return tiles_; }
  int64_t nbytes() const { return static_cast<int64_t>(codes_.size()); }

  /// First line of a segment in tile 0, and the distance between tiles.
  const uint8_t* segment_codes(int64_t segment) const {
    return codes_.data() + segment * layout_.steps_per_segment() * kernels::kT2LineBytes;
  }
  int64_t tile_stride() const { return layout_.total_steps() * kernels::kT2LineBytes; }

 private:
  void pack_row(int64_t row, const int8_t* padded);

  ColumnLayout layout_;
  int64_t tiles_ = 0;
  base::AlignedArray<uint8_t> codes_;
};

}  // namespace rsr::linear
