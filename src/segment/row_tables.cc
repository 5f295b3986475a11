#include "segment/row_tables.h"

#include "base/check.h"
#include "matrix/values.h"

namespace rsr::segment {

Result<RowTables> build_row_tables(const RowSource& source, int64_t rows, int64_t cols,
                                   Alphabet alphabet, int group_cols) {
  const bool binary = alphabet == Alphabet::binary;
  const int limit = binary ? kMaxTableCols : kMaxTableColsTernary;
  if (group_cols < 1 || group_cols > limit) {
    return base::error(ErrorCode::invalid_argument, "a table of ", group_cols,
                       " columns; it may have 1 to ", limit);
  }
  if (cols < 1 || cols > matrix::kMaxCols || rows < 0 || rows > matrix::kMaxElements / cols) {
    return base::error(ErrorCode::invalid_argument, "no row tables for a matrix of ", rows, " x ",
                       cols);
  }
  RowTables out;
  out.rows = rows;
  out.cols = cols;
  out.group_cols = group_cols;
  out.alphabet = alphabet;
  out.codes.resize(static_cast<size_t>(out.group_count() * rows));
  const int lowest = binary ? 0 : -1;
  std::vector<int8_t> values(static_cast<size_t>(cols));
  for (int64_t r = 0; r < rows; ++r) {
    source(r, values.data());
    for (int64_t g = 0; g < out.group_count(); ++g) {
      int code = 0;
      for (int i = out.width(g) - 1; i >= 0; --i) {
        const int value = values[g * group_cols + i] - lowest;  // from 0
        if (value < 0 || value > 1 - lowest) {
          return base::error(ErrorCode::invalid_argument, "value at row ", r, ", column ",
                             g * group_cols + i, " is ", value + lowest, ", not ",
                             binary ? "0 or 1" : "-1, 0 or +1");
        }
        code = code * (binary ? 2 : 3) + value;
      }
      out.codes[g * rows + r] = static_cast<uint8_t>(code);
    }
  }
  return out;
}

}  // namespace rsr::segment
