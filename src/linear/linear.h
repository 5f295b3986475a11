// A prepared matrix and its product with a batch: the middle floor between kernels and models.
#pragma once

#include <cstdint>
#include <span>

#include "base/aligned.h"
#include "linear/context.h"
#include "rsr/linear.h"

namespace rsr::linear {

/// A batch of int8 activations in the layout that kernels read. One batch may serve several
/// matrices with the same number of columns: q, k and v share one quantisation.
///
/// quantize() applies the rule of BitNet b1.58 per token: m = max(max |x|, 1e-5), s = 127 / m,
/// q = round_half_to_even(x * s).
class Activations {
 public:
  /// x[batch, cols], finite. Memory is kept between calls and only grows.
  void quantize(Context::Impl& context, const float* x, int64_t batch, int64_t cols);

  int64_t batch() const { return batch_; }
  int64_t cols() const { return cols_; }
  /// Row stride in bytes: cols rounded up to 64; the rest of a row is zero.
  int64_t stride() const { return stride_; }
  const int8_t* values() const { return values_.data(); }
  /// Sum of the values of each token.
  const int32_t* sums() const { return sums_.data(); }
  /// 1 / s of each token: multiplies an integer product back into floats.
  const float* inverse_scales() const { return inverse_scales_.data(); }

 private:
  int64_t batch_ = 0;
  int64_t cols_ = 0;
  int64_t stride_ = 0;
  base::AlignedArray<int8_t> values_;
  base::AlignedArray<int32_t> sums_;
  base::AlignedArray<float> inverse_scales_;
};

/// y[batch, rows] = W x for quantised activations, all scales applied:
/// y = float(integer product) * inverse_scale * scale.
void multiply(Context::Impl& context, const Weight& weight, const Activations& x, float* y);

/// The same for float activations, not quantised (x[batch, cols], finite): for models of which only
/// the weights are ternary.
void multiply(Context::Impl& context, const Weight& weight, const float* x, int64_t batch,
              float* y);

/// y[batch, rows] = W[rows, cols] x[batch, cols] for a dense 16-bit matrix (an LM head, a dense
/// model). Each dot product is summed in 16 lanes by column modulo 16 and then as a tree, on every
/// instruction set, so that its bits do not depend on machine, threads or batch.
enum class Float16 { bf16, f16 };
struct Dense {
  const uint16_t* weight = nullptr;  // bits, any alignment of 2
  int64_t rows = 0;
  int64_t cols = 0;
  Float16 format = Float16::bf16;
};
void multiply_dense(Context::Impl& context, const Dense& dense, const float* x, int64_t batch,
                    float* y);

/// A copy with its own memory: benchmarks rotate over copies to find every weight cold.
Weight deep_copy(const Weight& weight);

/// Share of zeros among the values of a prepared matrix, 0 to 1.
double zero_share(const Weight& weight);

/// What a product is given: int8 activations, or floats as they are.
enum class Inputs { int8, floats };

/// The kernel that a product runs, and why, for this context:
/// "matvec_t2_i8_avx512vnni: the strongest kernel of format t2 for instruction set avx512vnni".
std::string explain_kernel(const Context::Impl& context, const Weight& weight,
                           Inputs inputs = Inputs::int8);
std::string explain_kernel(const Context::Impl& context, const Dense& dense);

}  // namespace rsr::linear
