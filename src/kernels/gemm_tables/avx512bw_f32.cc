#include "kernels/gemm_tables/avx_floats512.h"
#include "kernels/gemm_tables/blocks_f32.h"

namespace rsr::kernels {

void gemm_tables_t2_f32_avx512bw(const GemmTablesF32& p, int64_t tile_begin,
                                 int64_t tile_end) noexcept {
  multiply_range_f32<Floats512, QuadsF32>(p, tile_begin, tile_end);
}

void gemm_tables_t3_f32_avx512bw(const GemmTablesF32& p, int64_t tile_begin,
                                 int64_t tile_end) noexcept {
  multiply_range_f32<Floats512, ThreesF32>(p, tile_begin, tile_end);
}

void gemm_tables_b1_f32_avx512bw(const GemmTablesF32& p, int64_t tile_begin,
                                 int64_t tile_end) noexcept {
  multiply_range_f32<Floats512, FivesF32>(p, tile_begin, tile_end);
}

}  // namespace rsr::kernels
