// Operation dense: a bf16 or f16 matrix times float vectors (an LM head, a dense layer).
//
//   y[t][r] = sum over c of float(w[r][c]) * x[t][c]
//
// The order of the additions is part of the contract: 16 lanes, lane l sums the columns c with
// c % 16 = l in order (one rounding for the product, one for the sum: no fused multiply-add, which
// not every machine has), then lanes l and l + 8 are added, l and l + 4, l and l + 2, l and l + 1.
// So a logit has the same bits on every machine, for any batch and number of threads.
#pragma once

#include <cstdint>

namespace rsr::kernels {

inline constexpr int kDenseLanes = 16;

struct Dense16F32 {
  const uint16_t* w = nullptr;  // [rows][cols], bits of bf16 or f16
  int64_t cols = 0;
  const float* x = nullptr;  // [batch][cols]
  int64_t batch = 0;
  float* y = nullptr;  // [batch][y_stride]
  int64_t y_stride = 0;
};

/// Kernels compute the rows [row_begin, row_end).
using Dense16F32Function = void(const Dense16F32& p, int64_t row_begin, int64_t row_end) noexcept;

#define DENSE_BF16_F32(isa) Dense16F32Function dense_bf16_f32_##isa;
#define DENSE_F16_F32(isa) Dense16F32Function dense_f16_f32_##isa;
#include "kernels/dense/kernels.inc"

}  // namespace rsr::kernels
