#include <immintrin.h>

#include "kernels/gemm_gray/blocks.h"
#include "kernels/gemm_tables/avx_words256.h"

namespace rsr::kernels {

void gemm_gray_i8_avx2(const MatvecI8& p, int64_t tile_begin, int64_t tile_end) noexcept {
  multiply_gray<Words256>(p, tile_begin, tile_end);
}

}  // namespace rsr::kernels
