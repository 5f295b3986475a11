#include "kernels/gathers256.h"
#include "kernels/slices/blocks.h"

namespace rsr::kernels {

void slices_i32_avx2(const SlicesI32& p, int64_t slice_begin, int64_t slice_end) noexcept {
  sum_slices<Gathers256>(p, slice_begin, slice_end);
}

void slices_f32_avx2(const SlicesF32& p, int64_t slice_begin, int64_t slice_end) noexcept {
  sum_slices<Gathers256>(p, slice_begin, slice_end);
}

}  // namespace rsr::kernels
