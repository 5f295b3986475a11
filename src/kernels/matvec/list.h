// The kernels of matvec as data: to select from, to test, to benchmark.
#pragma once

#include "kernels/kernel.h"
#include "kernels/matvec/matvec.h"
#include "matrix/format.h"

namespace rsr::kernels {

/// A kernel of one format for int8 activations; it takes token tiles up to `token_tile`.
struct MatvecI8Kernel {
  matrix::Format format;
  base::Isa isa;
  const char* name;
  MatvecI8Function* function;
  int token_tile;
  int64_t scratch_bytes = 0;
};
struct MatvecF32Kernel {
  matrix::Format format;
  base::Isa isa;
  const char* name;
  MatvecF32Function* function;
};

inline constexpr MatvecI8Kernel kMatvecI8[] = {
#define MATVEC_I8(format, isa, token_tile)                                \
  {matrix::Format::format, base::Isa::isa, "matvec_" #format "_i8_" #isa, \
   matvec_##format##_i8_##isa, token_tile},
#include "kernels/matvec/kernels.inc"
};

inline constexpr MatvecF32Kernel kMatvecF32[] = {
#define MATVEC_F32(format, isa)                                            \
  {matrix::Format::format, base::Isa::isa, "matvec_" #format "_f32_" #isa, \
   matvec_##format##_f32_##isa},
#include "kernels/matvec/kernels.inc"
};

inline constexpr Kernel<MatvecGroupsI8Function> kMatvecGroupsI8[] = {
#define MATVEC_GROUPS_I8(isa) {base::Isa::isa, "matvec_groups_i8_" #isa, matvec_groups_i8_##isa},
#include "kernels/matvec/kernels.inc"
};

inline constexpr Kernel<MatvecGroupsF32Function> kMatvecGroupsF32[] = {
#define MATVEC_GROUPS_F32(isa) {base::Isa::isa, "matvec_groups_f32_" #isa, matvec_groups_f32_##isa},
#include "kernels/matvec/kernels.inc"
};

}  // namespace rsr::kernels
