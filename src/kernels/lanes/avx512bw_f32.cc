#include "kernels/gathers512.h"
#include "kernels/lanes/blocks_f32.h"

namespace rsr::kernels {

void lanes_f32_avx512bw(const LanesF32& p, int64_t block_begin, int64_t block_end) noexcept {
  sum_blocks<Gathers512>(p, block_begin, block_end);
}

}  // namespace rsr::kernels
