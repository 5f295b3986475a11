// The kernels of lanes as data: to select from, to test, to benchmark.
#pragma once

#include "kernels/kernel.h"
#include "kernels/lanes/lanes.h"

namespace rsr::kernels {

inline constexpr Kernel<LanesI8Function> kLanesI8[] = {
#define LANES_I8(isa) {base::Isa::isa, "lanes_i8_" #isa, lanes_i8_##isa},
#include "kernels/lanes/kernels.inc"
};

inline constexpr Kernel<LanesF32Function> kLanesF32[] = {
#define LANES_F32(isa) {base::Isa::isa, "lanes_f32_" #isa, lanes_f32_##isa},
#include "kernels/lanes/kernels.inc"
};

}  // namespace rsr::kernels
