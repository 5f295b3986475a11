// Operation quantize: float activations to int8, one scale per token (BitNet b1.58, W1.58A8).
//
//   m = max(max over c of |x[t][c]|, 1e-5),  s = 127 / m
//   q[t][c] = round_half_to_even(x[t][c] * s),  inverse_scales[t] = m / 127
//
// The same bits on every instruction set: the maximum is exact, and each element has one rounding
// of the product and one to an integer, vector tails included.
#pragma once

#include <cstdint>

namespace rsr::kernels {

struct QuantizeI8 {
  const float* x = nullptr;  // [tokens][cols], finite
  int64_t cols = 0;
  int8_t* q = nullptr;  // [tokens][q_stride]; columns from cols to q_stride are set to zero
  int64_t q_stride = 0;
  int32_t* sums = nullptr;          // [tokens]: sum of q
  float* inverse_scales = nullptr;  // [tokens]
};

inline constexpr float kQuantizeFloor = 1e-5f;

/// Kernels quantise the tokens [token_begin, token_end).
using QuantizeI8Function = void(const QuantizeI8& p, int64_t token_begin,
                                int64_t token_end) noexcept;

#define QUANTIZE_I8(isa) QuantizeI8Function quantize_i8_##isa;
#include "kernels/quantize/kernels.inc"

}  // namespace rsr::kernels
