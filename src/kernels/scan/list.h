// The kernels of scan as data: to select from, to test, to benchmark.
#pragma once

#include "kernels/kernel.h"
#include "kernels/scan/scan.h"

namespace rsr::kernels {

inline constexpr Kernel<ScanI8Function> kScanI8[] = {
#define SCAN_I8(isa) {base::Isa::isa, "scan_i8_i16_" #isa, scan_i8_i16_##isa},
#include "kernels/scan/kernels.inc"
};

}  // namespace rsr::kernels
