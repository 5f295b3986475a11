// The lengths of a product's arrays, checked alike on the host and on devices.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/check.h"

namespace rsr::linear {

/// The number of vectors in `x_size` elements of `whose` columns.
inline Result<int64_t> check_x(size_t x_size, int64_t cols, const char* whose) {
  const auto count = static_cast<int64_t>(x_size);
  if (count == 0 || count % cols != 0) {
    return base::error(ErrorCode::invalid_argument, "x: ", count,
                       " elements are not a positive multiple of ", whose, " ", cols, " columns");
  }
  return count / cols;
}

inline Status check_y(size_t y_size, int64_t batch, int64_t rows) {
  const auto count = static_cast<int64_t>(y_size);
  if (count == batch * rows) return {};
  return base::error(ErrorCode::invalid_argument, "y: ", count, " elements; a batch of ", batch,
                     " and ", rows, " rows need exactly ", batch * rows);
}

/// Both, of a weight or a device's; gives the number of vectors.
template <class AnyWeight>
Result<int64_t> check_lengths(const AnyWeight& weight, size_t x_size, size_t y_size) {
  RSR_ASSIGN_OR_RETURN(const int64_t batch, check_x(x_size, weight.cols(), "the matrix's"));
  RSR_RETURN_IF_ERROR(check_y(y_size, batch, weight.rows()));
  return batch;
}

}  // namespace rsr::linear
