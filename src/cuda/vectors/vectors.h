// Operations vectors and spoil: what lies around a product of a caller's own vectors.
//
//   vectors  [batch][cols] becomes what operation multiply reads. Floats are quantised, with the
//   bits
//            of kernels/quantize; int8 are copied.
//   spoil    a vector with NaN or infinity gets NaN for results. A device cannot refuse it without
//            somebody waiting, and int8 would hide it; vectors does the same by its scale.
#pragma once

#include <cstdint>

#include "cuda/floats/floats.h"

namespace rsr::cuda {

struct Vectors {
  const void* floats = nullptr;  // [batch][cols] of `type`; or, when null,
  FloatType type = FloatType::f32;
  const int8_t* integers = nullptr;  // [batch][cols]
  int32_t cols = 0;
  int32_t batch = 0;
  int8_t* q = nullptr;  // [batch][q_stride], q_stride a multiple of 16; zeros behind cols
  int64_t q_stride = 0;
  int32_t* sums = nullptr;          // [batch]: sum of q
  float* inverse_scales = nullptr;  // [batch], of floats only; NaN for a vector with NaN or
                                    // infinity, whose q are zeros
};

struct Spoil {
  const void* x = nullptr;  // [batch][cols]
  FloatType type = FloatType::f32;
  int32_t cols = 0;
  int32_t batch = 0;
  float* y = nullptr;  // [batch][rows]
  int32_t rows = 0;
};

}  // namespace rsr::cuda
