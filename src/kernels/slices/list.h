// The kernels of slices as data: to select from, to test, to benchmark.
#pragma once

#include "kernels/kernel.h"
#include "kernels/slices/slices.h"

namespace rsr::kernels {

inline constexpr Kernel<SlicesI32Function> kSlicesI32[] = {
#define SLICES_I32(isa) {base::Isa::isa, "slices_i32_" #isa, slices_i32_##isa},
#include "kernels/slices/kernels.inc"
};

inline constexpr Kernel<SlicesF32Function> kSlicesF32[] = {
#define SLICES_F32(isa) {base::Isa::isa, "slices_f32_" #isa, slices_f32_##isa},
#include "kernels/slices/kernels.inc"
};

}  // namespace rsr::kernels
