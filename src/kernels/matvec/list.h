// The kernels of matvec as data: to select from, to test, to benchmark.
#pragma once

#include "kernels/kernel.h"
#include "kernels/matvec/matvec.h"

namespace rsr::kernels {

inline constexpr Kernel<MatvecT2I8Function> kMatvecT2I8[] = {
#define MATVEC_T2_I8(isa) {base::Isa::isa, "matvec_t2_i8_" #isa, matvec_t2_i8_##isa},
#include "kernels/matvec/kernels.inc"
};

inline constexpr Kernel<MatvecT2F32Function> kMatvecT2F32[] = {
#define MATVEC_T2_F32(isa) {base::Isa::isa, "matvec_t2_f32_" #isa, matvec_t2_f32_##isa},
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
