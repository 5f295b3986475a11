#include <immintrin.h>

#include "kernels/gemm_gray/blocks.h"
#include "kernels/gemm_tables/avx_words512.h"

namespace rsr::kernels {

void gemm_gray_i8_avx512bw(const MatvecI8& p, int64_t tile_begin, int64_t tile_end) noexcept {
  multiply_gray<Words512>(p, tile_begin, tile_end);
}

}  // namespace rsr::kernels
