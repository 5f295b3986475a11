// The kernels of tables as data: to select from, to test, to benchmark.
#pragma once

#include "kernels/kernel.h"
#include "kernels/tables/tables.h"

namespace rsr::kernels {

inline constexpr Kernel<TablesF32Function> kTablesT3F32[] = {
#define TABLES_T3_F32(isa) {base::Isa::isa, "tables_t3_f32_" #isa, tables_t3_f32_##isa},
#include "kernels/tables/kernels.inc"
};

inline constexpr Kernel<TablesF32Function> kTablesB1F32[] = {
#define TABLES_B1_F32(isa) {base::Isa::isa, "tables_b1_f32_" #isa, tables_b1_f32_##isa},
#include "kernels/tables/kernels.inc"
};

}  // namespace rsr::kernels
