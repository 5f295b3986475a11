// Views of matrices that the caller owns: how the values lie in memory, nothing copied.
//
// A view is a promise about layout only; its values are checked, and copied, by rsr::prepare. All
// matrices are rows x cols, row-major: y[rows] = W[rows, cols] x[cols].
#pragma once

#include <cstdint>
#include <span>

namespace rsr {

class MatrixView {
 public:
  /// What one stored element is. `bits` kinds hold 8 columns per byte, lowest bit first, each row
  /// padded to whole bytes.
  enum class Kind {
    ternary,       ///< int8 of -1, 0, +1
    binary,        ///< int8 of 0, 1
    signs,         ///< int8 of -1, +1
    binary_bits,   ///< bit 0 -> 0, bit 1 -> 1
    sign_bits,     ///< bit 0 -> -1, bit 1 -> +1
    packed_2bit,   ///< Hugging Face BitNet packing: see packed_2bit() below
    float_absmean  ///< float, ternarised while it is prepared: see absmean() below
  };

  Kind kind() const { return kind_; }
  int64_t rows() const { return rows_; }
  int64_t cols() const { return cols_; }
  const void* data() const { return data_; }
  /// Number of elements (bytes or floats) in the caller's buffer.
  int64_t length() const { return length_; }
  /// True when every value is 0 or 1, or every value is -1 or +1, by the kind's definition.
  bool is_binary() const {
    return kind_ != Kind::ternary && kind_ != Kind::packed_2bit && kind_ != Kind::float_absmean;
  }

 private:
  friend MatrixView make_view(Kind kind, const void* data, size_t length, int64_t rows,
                              int64_t cols);
  Kind kind_ = Kind::ternary;
  int64_t rows_ = 0;
  int64_t cols_ = 0;
  const void* data_ = nullptr;
  int64_t length_ = 0;
};

MatrixView make_view(MatrixView::Kind kind, const void* data, size_t length, int64_t rows,
                     int64_t cols);

/// values[rows * cols], each -1, 0 or +1.
inline MatrixView ternary(std::span<const int8_t> values, int64_t rows, int64_t cols) {
  return make_view(MatrixView::Kind::ternary, values.data(), values.size(), rows, cols);
}

/// values[rows * cols], each 0 or 1.
inline MatrixView binary(std::span<const int8_t> values, int64_t rows, int64_t cols) {
  return make_view(MatrixView::Kind::binary, values.data(), values.size(), rows, cols);
}

/// values[rows * cols], each -1 or +1.
inline MatrixView signs(std::span<const int8_t> values, int64_t rows, int64_t cols) {
  return make_view(MatrixView::Kind::signs, values.data(), values.size(), rows, cols);
}

/// bits[rows * ceil(cols / 8)]: column c of a row is bit c % 8 of its byte c / 8; 0 and 1.
inline MatrixView binary_bits(std::span<const uint8_t> bits, int64_t rows, int64_t cols) {
  return make_view(MatrixView::Kind::binary_bits, bits.data(), bits.size(), rows, cols);
}

/// The layout of binary_bits, a zero bit meaning -1 and a one bit +1.
inline MatrixView sign_bits(std::span<const uint8_t> bits, int64_t rows, int64_t cols) {
  return make_view(MatrixView::Kind::sign_bits, bits.data(), bits.size(), rows, cols);
}

/// bytes[ceil(rows / 4) * cols], the packing of Hugging Face BitNet checkpoints: with
/// q = ceil(rows / 4), bits 2i+1..2i of byte (r, c) hold W[r + i * q][c] + 1. Code 3 is an error.
inline MatrixView packed_2bit(std::span<const uint8_t> bytes, int64_t rows, int64_t cols) {
  return make_view(MatrixView::Kind::packed_2bit, bytes.data(), bytes.size(), rows, cols);
}

/// values[rows * cols], finite floats, ternarised by the absmean rule of BitNet b1.58 when they are
/// prepared: a = max(mean |W|, 1e-5), W' = clamp(round_half_to_even(W * (1 / a)), -1, 1); the
/// matrix then has the scale a (times the scale of PrepareOptions).
inline MatrixView absmean(std::span<const float> values, int64_t rows, int64_t cols) {
  return make_view(MatrixView::Kind::float_absmean, values.data(), values.size(), rows, cols);
}

}  // namespace rsr
