// The kernels of gemm_gray as data: to select from, to test, to benchmark.
#pragma once

#include "kernels/gemm_gray/gemm_gray.h"
#include "kernels/kernel.h"

namespace rsr::kernels {

struct GemmGrayI8Kernel {
  base::Isa isa;
  const char* name;
  MatvecI8Function* function;
  int token_tile;
  /// Of the index it reads: bytes of a vector of inputs.
  int stride() const { return token_tile * 2; }
};

struct GemmGrayF32Kernel {
  base::Isa isa;
  const char* name;
  GemmGrayF32Function* function;
  int token_tile;
  int stride() const { return token_tile * 4; }
};

inline constexpr GemmGrayI8Kernel kGemmGrayI8[] = {
#define GEMM_GRAY_I8(isa, token_tile) \
  {base::Isa::isa, "gemm_gray_i8_" #isa, gemm_gray_i8_##isa, token_tile},
#include "kernels/gemm_gray/kernels.inc"
};

inline constexpr GemmGrayF32Kernel kGemmGrayF32[] = {
#define GEMM_GRAY_F32(isa, token_tile) \
  {base::Isa::isa, "gemm_gray_f32_" #isa, gemm_gray_f32_##isa, token_tile},
#include "kernels/gemm_gray/kernels.inc"
};

}  // namespace rsr::kernels
