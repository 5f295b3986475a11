// The kernels of peak as data: to select from, to test, to benchmark.
#pragma once

#include "kernels/kernel.h"
#include "kernels/peak/peak.h"

namespace rsr::kernels {

inline constexpr Kernel<PeakI8Function> kPeakI8[] = {
#define PEAK_I8(isa) {base::Isa::isa, "peak_i8_" #isa, peak_i8_##isa},
#include "kernels/peak/kernels.inc"
};

inline constexpr Kernel<PeakI8Function> kPeakPairsI8[] = {
#define PEAK_PAIRS_I8(isa) {base::Isa::isa, "peak_pairs_i8_" #isa, peak_pairs_i8_##isa},
#include "kernels/peak/kernels.inc"
};

inline constexpr Kernel<PeakI8Function> kPeakTilesI8[] = {
#define PEAK_TILES_I8(isa) {base::Isa::isa, "peak_tiles_i8_" #isa, peak_tiles_i8_##isa},
#include "kernels/peak/kernels.inc"
};

inline constexpr Kernel<PeakF32Function> kPeakF32[] = {
#define PEAK_F32(isa) {base::Isa::isa, "peak_f32_" #isa, peak_f32_##isa},
#include "kernels/peak/kernels.inc"
};

}  // namespace rsr::kernels
