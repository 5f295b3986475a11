// A prepared matrix and its product with a batch: the middle floor between kernels and models.
#pragma once

#include <cstdint>
#include <span>

#include "linear/activations.h"
#include "linear/context.h"
#include "rsr/linear.h"

namespace rsr::linear {

/// An error that names row and column of a NaN or infinity in x[batch, cols].
Status check_finite(std::span<const float> x, int64_t cols);

/// y[batch, rows] = W x for quantised activations, all scales applied:
/// y = float(integer product) * inverse_scale * scale.
void multiply(Context::Impl& context, const Weight& weight, const Activations& x, float* y);

/// Several products of the same activations in one parallel pass.
void multiply(Context::Impl& context, std::span<const Product> products, const Activations& x);

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

/// The kernel that a product runs, and why, for this context:
/// "matvec_t5_i8_avx512vbmi: the best kernel of format t5 for instruction set avx512vbmi".
std::string explain_kernel(const Context::Impl& context, const Weight& weight,
                           Inputs inputs = Inputs::int8, int64_t batch = 1);
std::string explain_kernel(const Context::Impl& context, const Dense& dense);

}  // namespace rsr::linear
