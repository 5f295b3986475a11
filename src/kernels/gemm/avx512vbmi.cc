#include "kernels/gemm/avx512_i8.h"
#include "kernels/gemm/avx512vbmi_formats.h"
#include "kernels/gemm/gemm.h"

namespace rsr::kernels {

void gemm_t5_i8_avx512vbmi(const MatvecI8& p, int64_t tile_begin, int64_t tile_end) noexcept {
  multiply_range<T5>(p, tile_begin, tile_end);
}

void gemm_t2_i8_avx512vbmi(const MatvecI8& p, int64_t tile_begin, int64_t tile_end) noexcept {
  multiply_range<Fields<2>>(p, tile_begin, tile_end);
}

void gemm_b1_i8_avx512vbmi(const MatvecI8& p, int64_t tile_begin, int64_t tile_end) noexcept {
  multiply_range<Fields<1>>(p, tile_begin, tile_end);
}

}  // namespace rsr::kernels
