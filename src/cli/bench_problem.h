// What rsr bench multiplies: a random matrix, random inputs, room for outputs, and the check
// against the plain product.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "rsr/linear.h"

namespace rsr::cli {

struct MatrixShape {
  int64_t rows = 0;
  int64_t cols = 0;
  bool is_binary = false;  // values 0, 1; else -1, 0, 1
  int zeros = 33;          // percent
  bool operator==(const MatrixShape&) const = default;
};

/// The same values for the same shape, on every machine.
std::vector<int8_t> random_matrix(const MatrixShape& shape);

/// Normal floats, reproducible; the int8 inputs are these times 32, rounded.
std::vector<float> random_inputs(int64_t count);

enum class Activation {
  int8,       ///< int8 in, exact int32 out
  quantised,  ///< fp32 in, quantised to int8 inside as models do, fp32 out
  fp32        ///< fp32 throughout
};

/// How far the results are from the plain product.
struct Checked {
  int64_t results = 0;    // compared
  double error_norm = 0;  // of their difference, relative to the norm of the plain product
};

/// One product through the public library.
class BenchProduct {
 public:
  BenchProduct(const std::vector<int8_t>& matrix, const MatrixShape& shape, Activation activation,
               int64_t batch);

  Status run(const Context& context, const Weight& weight);

  // For whoever multiplies elsewhere: what is multiplied, and where results go that check() is to
  // see. Integers are given or, of quantised vectors, what quantising must give.
  std::span<const float> floats() const { return x_f32_; }
  std::span<const int8_t> integers() const { return x_i8_; }
  std::span<float> float_results() { return y_f32_; }
  std::span<int32_t> integer_results() { return y_i32_; }

  /// Compares the last results with the plain product of the same inputs. Large batches: all rows
  /// of the first and last vector, some of the others. Error: a result that is wrong.
  Result<Checked> check() const;

 private:
  struct Expected {
    double sum;
    double tolerance;
  };
  void quantise_inputs();
  Expected expected(int64_t token, int64_t row) const;
  Expected expected_float(const int8_t* w, const float* x) const;

  const std::vector<int8_t>& matrix_;
  MatrixShape shape_;
  Activation activation_;
  int64_t batch_;
  std::vector<float> x_f32_;
  std::vector<int8_t> x_i8_;           // given, or what quantising the floats must give
  std::vector<float> inverse_scales_;  // of quantised vectors
  std::vector<float> y_f32_;
  std::vector<int32_t> y_i32_;
};

}  // namespace rsr::cli
