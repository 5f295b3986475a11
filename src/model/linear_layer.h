// One linear layer of a model, however its weights are kept.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "base/aligned.h"
#include "linear/context.h"
#include "linear/linear.h"
#include "model/dense_table.h"
#include "rsr/linear.h"

namespace rsr::model {

/// A ternary matrix whose inputs are quantised to int8 (BitNet b1.58).
struct Int8Ternary {
  Weight weight;
};
/// A ternary matrix whose inputs stay floats (TriLM).
struct FloatTernary {
  Weight weight;
};

/// Immutable.
struct Linear {
  std::variant<Int8Ternary, FloatTernary, DenseTable> matrix;
  std::vector<float> norm = {};  // [cols], an RMSNorm of its inputs; empty: it has none
  float norm_eps = 0;

  int64_t rows() const;
  int64_t cols() const;
  /// Bytes of the matrix with its scales, without the norm.
  int64_t bytes() const;
  bool is_dense() const { return std::holds_alternative<DenseTable>(matrix); }
  /// Share of zeros among the values of a ternary matrix; 0 for a dense one, which is not looked
  /// at.
  double zero_share() const;
  /// What was changed when a prepared weight was loaded; empty when nothing was.
  std::string notice() const;
  /// The kernel that multiplies this matrix in this context, and why.
  std::string explain_kernel(const Context::Impl& context) const;
};

/// A batch on its way through linears that read the same vectors. What a linear needs besides the
/// floats is made at its first use and shared: q, k and v quantise once between them. Memory only
/// grows.
class LinearInput {
 public:
  /// x[batch, cols], finite; it must stay as it is until the next set().
  void set(const float* x, int64_t batch, int64_t cols);

  /// y[batch, rows] of each linear; quantised ones that read x itself are one parallel pass.
  struct Output {
    const Linear* linear = nullptr;
    float* y = nullptr;
  };
  void multiply(Context::Impl& context, std::span<const Output> outputs);

 private:
  void multiply_alone(Context::Impl& context, const Linear& linear, float* y);
  /// What the linear really reads: x, or x through the linear's own norm.
  const float* normed(Context::Impl& context, const Linear& linear);

  const float* x_ = nullptr;
  int64_t batch_ = 0;
  int64_t cols_ = 0;
  bool quantised_ = false;  // int8_ holds x itself
  linear::Activations int8_;
  base::AlignedArray<float> normed_;
};

}  // namespace rsr::model
