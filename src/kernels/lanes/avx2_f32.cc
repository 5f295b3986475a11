#include "kernels/gathers256.h"
#include "kernels/lanes/blocks_f32.h"

namespace rsr::kernels {

void lanes_f32_avx2(const LanesF32& p, int64_t block_begin, int64_t block_end) noexcept {
  sum_blocks<Gathers256>(p, block_begin, block_end);
}

}  // namespace rsr::kernels
