// A large 16-bit table in eight bits, for the first look of linear/head_scan.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "base/aligned.h"
#include "base/shared_span.h"
#include "linear/context.h"
#include "linear/linear.h"
#include "rsr/status.h"

namespace rsr::linear {

/// w[r][c] is (scale[r] * q[r][c] + an error) * column_factors[c]; of the errors the bound needs
/// three numbers a row, computed from the exact errors in double and rounded up. Column factors are
/// powers of two, for which nothing is rounded; they keep columns of large numbers, which trained
/// tables have, from coarsening the scales of all rows. Rows are padded to tiles of 16.
struct HeadScanForm {
  /// All values are zeros; the lines have the right size and stand on a 64-byte boundary.
  HeadScanForm(int64_t row_count, int64_t col_count, base::SharedSpan<uint8_t> given_lines);

  int64_t rows;
  int64_t cols;
  base::SharedSpan<uint8_t> lines;           // as kernels/scan/scan.h draws them
  base::AlignedArray<float> row_values;      // [kRowValues][tiles * 16]
  base::AlignedArray<float> column_factors;  // [cols], 2^-20 to 2^20

  enum RowValue {
    scale,
    error_max,   // the largest |error| of a row
    error_norm,  // its Euclidean norm
    norm,        // that of the row (over the factors), plus error_norm
    kRowValues
  };

  float largest_norm = 0;  // of all rows
  double error_ratio = 0;  // error_norm / error_max, the mean: where outliers begin

  int64_t tiles() const;
  int64_t steps() const;
  int64_t padded_rows() const;
  /// One of the values, by row.
  const float* values(RowValue value) const { return row_values.data() + value * padded_rows(); }
  /// Fills in what is told of all rows together.
  void summarise();
  /// Bytes that a scan reads.
  int64_t bytes() const;
};

/// The form of a table whose numbers are finite, built on all threads; nothing when it has more
/// columns than the kernels can sum up.
std::optional<HeadScanForm> make_head_scan_form(Context::Impl& context, const Dense& table);

/// Numbers of a table from which a scan is worth its memory: 2 million take 56 microseconds in full
/// and 32 by a scan, 0.08 million (the demo model) 5 either way.
inline constexpr int64_t kWorthAScan = int64_t{2} << 20;

/// As plain bytes, little-endian: two int64 (rows, columns), column_factors, zeros up to a multiple
/// of 64, row_values, lines.
int64_t head_scan_form_bytes(const HeadScanForm& form);
void write_head_scan_form(const HeadScanForm& form, std::span<std::byte> out);

/// Reads them back: a copy, or, where `keeper` keeps the bytes and they begin on a 64-byte
/// boundary, lines where they are. Sizes are checked, and that every value is finite and not
/// negative; whether the values belong to the table cannot be seen from them, so the bytes must
/// come from where the table comes from, under its checksum. Errors: corrupt_data.
Result<HeadScanForm> read_head_scan_form(std::span<const std::byte> bytes,
                                         const std::shared_ptr<const void>& keeper = nullptr);

}  // namespace rsr::linear
