// A ternary or binary matrix in one of the formats of matrix/format.h.
#pragma once

#include <cstdint>
#include <span>

#include "base/aligned.h"
#include "base/shared_span.h"
#include "matrix/column_layout.h"
#include "matrix/format.h"
#include "matrix/values.h"

namespace rsr::matrix {

/// What the code of a weight means.
enum class Alphabet : uint8_t {
  ternary,  ///< codes 0, 1, 2 are -1, 0, +1
  binary,   ///< codes 0, 1 are 0, 1
  signs     ///< codes 0, 1 are -1, +1
};

/// Packs and unpacks one row of a tile. `codes` has lines * line_cols(format) elements; `lines` is
/// the first line of the tile, `row` 0 to 15.
void pack_row(Format format, std::span<const uint8_t> codes, int row, uint8_t* lines);
void unpack_row(Format format, const uint8_t* lines, int row, std::span<uint8_t> codes);

class Packed {
 public:
  Packed() = default;
  /// Packs a checked matrix. `group_size` above 0 pads every group of that many columns to whole
  /// lines; formats t5 and t3 take no groups.
  Packed(Format format, Alphabet alphabet, const RowReader& values, int64_t rows, int64_t cols,
         int64_t group_size);
  /// Zeroed lines, to be filled through lines().
  Packed(Format format, Alphabet alphabet, int64_t rows, int64_t cols, int64_t group_size);
  /// Lines that lie elsewhere, on a 64-byte boundary and bytes_needed() long: they are read where
  /// they are, and copies share them.
  Packed(Format format, Alphabet alphabet, int64_t rows, int64_t cols, int64_t group_size,
         base::SharedSpan<uint8_t> lines);

  /// Bytes of all lines.
  static int64_t bytes_needed(Format format, int64_t rows, int64_t cols, int64_t group_size);

  Format format() const { return format_; }
  Alphabet alphabet() const { return alphabet_; }
  int64_t rows() const { return rows_; }
  int64_t cols() const { return layout_.cols(); }
  /// Its step is a line.
  const ColumnLayout& layout() const { return layout_; }
  int64_t tiles() const { return (rows_ + kTileRows - 1) / kTileRows; }
  int64_t lines_per_tile() const { return layout_.total_steps(); }
  int64_t tile_stride() const { return lines_per_tile() * kLineBytes; }
  int64_t nbytes() const { return tiles() * tile_stride(); }
  /// To be written; never for lines that lie elsewhere.
  uint8_t* lines();
  const uint8_t* lines() const { return shared_.empty() ? lines_.data() : shared_.data(); }
  /// The same matrix with lines of its own.
  Packed copied() const;

  /// Values of a row as in the matrix it was made from; for tests, repacking and RSR's index.
  void read_row(int64_t row, int8_t* values) const;

  /// The same matrix in another format that can hold its alphabet; at least a billion weights a
  /// second and core between t5 and t2 and from t3 to t2.
  Packed repacked(Format format) const;

 private:
  Format format_ = Format::t2;
  Alphabet alphabet_ = Alphabet::ternary;
  int64_t rows_ = 0;
  ColumnLayout layout_;
  base::AlignedArray<uint8_t> lines_;  // empty when they lie elsewhere
  base::SharedSpan<uint8_t> shared_;
};

}  // namespace rsr::matrix
