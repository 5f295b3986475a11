// The kernels of gemm_tables as data: to select from, to test, to benchmark.
#pragma once

#include "kernels/gemm_tables/gemm_tables.h"
#include "kernels/matvec/list.h"

namespace rsr::kernels {

inline constexpr MatvecI8Kernel kGemmTablesI8[] = {
#define GEMM_TABLES_I8(format, isa, token_tile)                                         \
  {matrix::Format::format,          base::Isa::isa, "gemm_tables_" #format "_i8_" #isa, \
   gemm_tables_##format##_i8_##isa, token_tile,     kGemmTablesScratch},
#include "kernels/gemm_tables/kernels.inc"
};

struct GemmTablesF32Kernel {
  matrix::Format format;
  base::Isa isa;
  const char* name;
  GemmTablesF32Function* function;
  int token_tile;
};

inline constexpr GemmTablesF32Kernel kGemmTablesF32[] = {
#define GEMM_TABLES_F32(format, isa, token_tile)                                \
  {matrix::Format::format, base::Isa::isa, "gemm_tables_" #format "_f32_" #isa, \
   gemm_tables_##format##_f32_##isa, token_tile},
#include "kernels/gemm_tables/kernels.inc"
};

}  // namespace rsr::kernels
