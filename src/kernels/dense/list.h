// The kernels of dense as data: to select from, to test, to benchmark.
#pragma once

#include "kernels/dense/dense.h"
#include "kernels/kernel.h"

namespace rsr::kernels {

inline constexpr Kernel<Dense16F32Function> kDenseBf16F32[] = {
#define DENSE_BF16_F32(isa) {base::Isa::isa, "dense_bf16_f32_" #isa, dense_bf16_f32_##isa},
#include "kernels/dense/kernels.inc"
};

inline constexpr Kernel<Dense16F32Function> kDenseF16F32[] = {
#define DENSE_F16_F32(isa) {base::Isa::isa, "dense_f16_f32_" #isa, dense_f16_f32_##isa},
#include "kernels/dense/kernels.inc"
};

}  // namespace rsr::kernels
