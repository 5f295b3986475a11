#include <immintrin.h>

#include "kernels/gemm_tables/avx_words512.h"
#include "kernels/gemm_tables/blocks.h"

namespace rsr::kernels {
void gemm_tables_t2_i8_avx512bw(const MatvecI8& p, int64_t tile_begin, int64_t tile_end) noexcept {
  multiply_range<Words512, Quads>(p, tile_begin, tile_end);
}

void gemm_tables_b1_i8_avx512bw(const MatvecI8& p, int64_t tile_begin, int64_t tile_end) noexcept {
  multiply_range<Words512, Sixes>(p, tile_begin, tile_end);
}

}  // namespace rsr::kernels
