// Values of a user's matrix, whatever its layout: checked once, then read row by row as int8.
#pragma once

#include <cstdint>

#include "rsr/matrix.h"
#include "rsr/status.h"

namespace rsr::matrix {

/// More columns could overflow an int32 sum of products with int8 activations (128 each).
inline constexpr int64_t kMaxCols = 16'777'215;

/// The most that rows * cols may be; keeps every byte count far from overflow.
inline constexpr int64_t kMaxElements = int64_t{1} << 46;

/// Checks shape, length and every value: errors name the row and column. `name` is the argument.
Status check_matrix(const MatrixView& matrix, const char* name);

/// Reads rows of a checked matrix as -1, 0, +1 (or 0, 1; or -1, +1).
class RowReader {
 public:
  explicit RowReader(const MatrixView& matrix);

  /// out[cols] = the values of `row`.
  void read(int64_t row, int8_t* out) const;

  /// The scale that belongs to the values: the absmean of a float matrix, else 1.
  float scale() const { return scale_; }

 private:
  MatrixView matrix_;
  float scale_ = 1.0f;
};

}  // namespace rsr::matrix
