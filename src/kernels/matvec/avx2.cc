#include "kernels/bytes256.h"
#include "kernels/matvec/pairs_i8.h"

namespace rsr::kernels {

void matvec_t2_i8_avx2(const MatvecI8& p, int64_t tile_begin, int64_t tile_end) noexcept {
  multiply_range<T2<Bytes256>>(p, tile_begin, tile_end);
}

void matvec_b1_i8_avx2(const MatvecI8& p, int64_t tile_begin, int64_t tile_end) noexcept {
  multiply_range<B1<Bytes256>>(p, tile_begin, tile_end);
}

}  // namespace rsr::kernels
