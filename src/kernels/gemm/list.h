// The kernels of gemm as data: to select from, to test, to benchmark.
#pragma once

#include "kernels/gemm/gemm.h"
#include "kernels/matvec/list.h"

namespace rsr::kernels {

inline constexpr MatvecI8Kernel kGemmI8[] = {
#define GEMM_I8(format, isa, token_tile)                                                          \
  {matrix::Format::format, base::Isa::isa, "gemm_" #format "_i8_" #isa, gemm_##format##_i8_##isa, \
   token_tile},
#include "kernels/gemm/kernels.inc"
};

}  // namespace rsr::kernels
