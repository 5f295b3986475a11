#include "kernels/bytes512.h"
#include "kernels/gemm/pairs_i8.h"

namespace rsr::kernels {
namespace {

using Micro = PairsMicro<Bytes512, 8>;

}  // namespace

void gemm_t2_i8_avx512bw(const MatvecI8& p, int64_t tile_begin, int64_t tile_end) noexcept {
  multiply_range<Micro, 2>(p, tile_begin, tile_end);
}

void gemm_b1_i8_avx512bw(const MatvecI8& p, int64_t tile_begin, int64_t tile_end) noexcept {
  multiply_range<Micro, 1>(p, tile_begin, tile_end);
}

}  // namespace rsr::kernels
