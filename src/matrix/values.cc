#include "matrix/values.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/check.h"

namespace rsr {

MatrixView make_view(MatrixView::Kind kind, const void* data, size_t length, int64_t rows,
                     int64_t cols) {
  MatrixView view;
  view.kind_ = kind;
  view.rows_ = rows;
  view.cols_ = cols;
  view.data_ = data;
  view.length_ = static_cast<int64_t>(length);
  return view;
}

}  // namespace rsr

namespace rsr::matrix {
namespace {

using Kind = MatrixView::Kind;
using base::error;

int64_t divide_up(int64_t a, int64_t b) {
  return (a + b - 1) / b;
}

/// Elements that the caller's buffer must have.
int64_t expected_length(const MatrixView& m) {
  switch (m.kind()) {
    case Kind::binary_bits:
    case Kind::sign_bits:
      return m.rows() * divide_up(m.cols(), 8);
    case Kind::packed_2bit:
      return divide_up(m.rows(), 4) * m.cols();
    default:
      return m.rows() * m.cols();
  }
}

Status check_shape(const MatrixView& m, const char* name) {
  if (m.rows() < 1 || m.cols() < 1) {
    return error(ErrorCode::invalid_argument, name, ": a matrix of ", m.rows(), " x ", m.cols(),
                 "; both must be at least 1");
  }
  if (m.cols() > kMaxCols) {
    return error(ErrorCode::limit_exceeded, name, ": ", m.cols(), " columns, at most ", kMaxCols,
                 " keep an int32 sum exact");
  }
  if (m.rows() > kMaxElements / m.cols()) {
    return error(ErrorCode::limit_exceeded, name, ": ", m.rows(), " x ", m.cols(),
                 " is more than 2^46 elements");
  }
  if (m.length() != expected_length(m)) {
    return error(ErrorCode::invalid_argument, name, ": ", m.rows(), " x ", m.cols(), " needs ",
                 expected_length(m), " elements, the buffer has ", m.length());
  }
  return {};
}

/// Finds the first of n values that `allowed` refuses; n when there is none. The pass without a
/// branch comes first, so that good matrices are checked at the speed of memory.
template <class T, class Allowed>
int64_t first_refused(const T* values, int64_t n, Allowed allowed) {
  bool good = true;
  for (int64_t i = 0; i < n; ++i) good &= allowed(values[i]);
  if (good) return n;
  return std::find_if_not(values, values + n, allowed) - values;
}

template <class T, class Allowed>
Status check_dense(const MatrixView& m, const char* name, const char* rule, Allowed allowed) {
  const T* values = static_cast<const T*>(m.data());
  for (int64_t row = 0; row < m.rows(); ++row) {
    const T* line = values + row * m.cols();
    const int64_t col = first_refused(line, m.cols(), allowed);
    if (col < m.cols()) {
      return error(ErrorCode::invalid_argument, name, ": row ", row, ", column ", col, " is ",
                   +line[col], "; ", rule);
    }
  }
  return {};
}

Status check_packed_2bit(const MatrixView& m, const char* name) {
  const auto* bytes = static_cast<const uint8_t*>(m.data());
  const int64_t quarter = divide_up(m.rows(), 4);
  for (int64_t row = 0; row < m.rows(); ++row) {
    const int shift = static_cast<int>(row / quarter) * 2;
    const uint8_t* line = bytes + row % quarter * m.cols();
    const int64_t col =
        first_refused(line, m.cols(), [=](uint8_t byte) { return ((byte >> shift) & 3) != 3; });
    if (col < m.cols()) {
      return error(ErrorCode::corrupt_data, name, ": row ", row, ", column ", col,
                   " has code 3, which means no ternary value");
    }
  }
  return {};
}

/// The absmean of a float matrix, summed in double.
float absmean_of(const MatrixView& m) {
  const auto* values = static_cast<const float*>(m.data());
  double sum = 0;
  for (int64_t i = 0; i < m.length(); ++i) sum += std::fabs(static_cast<double>(values[i]));
  return std::max(static_cast<float>(sum / static_cast<double>(m.length())), 1e-5f);
}

}  // namespace

Status check_matrix(const MatrixView& m, const char* name) {
  RSR_RETURN_IF_ERROR(check_shape(m, name));
  switch (m.kind()) {
    case Kind::ternary:
      return check_dense<int8_t>(m, name, "a ternary matrix holds -1, 0 and 1 only",
                                 [](int8_t v) { return v >= -1 && v <= 1; });
    case Kind::binary:
      return check_dense<int8_t>(m, name, "a binary matrix holds 0 and 1 only",
                                 [](int8_t v) { return v == 0 || v == 1; });
    case Kind::signs:
      return check_dense<int8_t>(m, name, "a matrix of signs holds -1 and 1 only",
                                 [](int8_t v) { return v == -1 || v == 1; });
    case Kind::float_absmean:
      return check_dense<float>(m, name, "weights must be finite", [](float v) {
        return std::fabs(v) <= std::numeric_limits<float>::max();
      });
    case Kind::packed_2bit:
      return check_packed_2bit(m, name);
    case Kind::binary_bits:
    case Kind::sign_bits:
      return {};
  }
  return error(ErrorCode::invalid_argument, name, ": unknown kind of view");
}

RowReader::RowReader(const MatrixView& matrix) : matrix_(matrix) {
  if (matrix.kind() == Kind::float_absmean) scale_ = absmean_of(matrix);
}

void RowReader::read(int64_t row, int8_t* out) const {
  const int64_t cols = matrix_.cols();
  const auto* bytes = static_cast<const uint8_t*>(matrix_.data());
  switch (matrix_.kind()) {
    case Kind::ternary:
    case Kind::binary:
    case Kind::signs: {
      const auto* line = static_cast<const int8_t*>(matrix_.data()) + row * cols;
      std::copy(line, line + cols, out);
      return;
    }
    case Kind::binary_bits:
    case Kind::sign_bits: {
      const uint8_t* line = bytes + row * divide_up(cols, 8);
      const int zero = matrix_.kind() == Kind::sign_bits ? -1 : 0;
      for (int64_t c = 0; c < cols; ++c) {
        out[c] = static_cast<int8_t>((line[c / 8] >> (c % 8)) & 1 ? 1 : zero);
      }
      return;
    }
    case Kind::packed_2bit: {
      const int64_t quarter = divide_up(matrix_.rows(), 4);
      const int shift = static_cast<int>(row / quarter) * 2;
      const uint8_t* line = bytes + row % quarter * cols;
      for (int64_t c = 0; c < cols; ++c) {
        out[c] = static_cast<int8_t>(((line[c] >> shift) & 3) - 1);
      }
      return;
    }
    case Kind::float_absmean: {
      const auto* line = static_cast<const float*>(matrix_.data()) + row * cols;
      const float inverse = 1.0f / scale_;
      for (int64_t c = 0; c < cols; ++c) {
        out[c] = static_cast<int8_t>(std::clamp(std::nearbyint(line[c] * inverse), -1.0f, 1.0f));
      }
      return;
    }
  }
}

}  // namespace rsr::matrix
