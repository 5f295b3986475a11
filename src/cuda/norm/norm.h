// Operations norm and gate: what happens to a token's floats between two products, in one kernel:
// the residual sum, RMSNorm, quantisation to int8. Same bits as model/ops.h and kernels/quantize:
//
//   norm   x' = residual + x (where there is a residual, which becomes x')
//   gate   x' = activation(gate) * up
//   y      = x' / sqrt(mean(x'^2) + eps) * weight, or x' where there is no weight
//   q      = round_half_to_even(y * (127 / m)), m = max(max |y|, 1e-5), inverse_scale = m / 127
//
// The sum of squares has the order of model::sum_of_squares.
#pragma once

#include <cstdint>

#include "cuda/norm/activation.h"

namespace rsr::cuda {

/// What becomes of a row: [batch][cols] each; null: not wanted.
struct NormOutputs {
  const float* weight = nullptr;  // [cols]; null: y is x'
  float eps = 0;
  float* y = nullptr;
  int8_t* q = nullptr;  // [batch][q_stride], q_stride a multiple of 16; zeros behind cols
  int64_t q_stride = 0;
  int32_t* sums = nullptr;          // [batch]: sum of q
  float* inverse_scales = nullptr;  // [batch]
};

struct Norm {
  const float* x = nullptr;   // [batch][cols]; y may be the same memory
  float* residual = nullptr;  // [batch][cols]
  int32_t cols = 0;           // at most 65,536
  int32_t batch = 0;
  NormOutputs out;
};

struct Gate {
  const float* gate = nullptr;  // [batch][cols]; y must be given, and may be the same memory
  const float* up = nullptr;    // [batch][cols]
  GateActivation activation = GateActivation::relu2;
  int32_t cols = 0;
  int32_t batch = 0;
  NormOutputs out;
};

}  // namespace rsr::cuda
