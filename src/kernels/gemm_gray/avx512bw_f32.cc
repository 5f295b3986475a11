#include "kernels/gemm_gray/blocks_f32.h"
#include "kernels/gemm_tables/avx_floats512.h"

namespace rsr::kernels {

void gemm_gray_f32_avx512bw(const GemmGrayF32& p, int64_t tile_begin, int64_t tile_end) noexcept {
  multiply_gray_f32<Floats512>(p, tile_begin, tile_end);
}

}  // namespace rsr::kernels
