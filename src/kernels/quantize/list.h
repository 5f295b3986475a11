// The kernels of quantize as data: to select from, to test, to benchmark.
#pragma once

#include "kernels/kernel.h"
#include "kernels/quantize/quantize.h"

namespace rsr::kernels {

inline constexpr Kernel<QuantizeI8Function> kQuantizeI8[] = {
#define QUANTIZE_I8(isa) {base::Isa::isa, "quantize_i8_" #isa, quantize_i8_##isa},
#include "kernels/quantize/kernels.inc"
};

}  // namespace rsr::kernels
