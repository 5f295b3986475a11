#include <algorithm>

#include "kernels/slices/slices.h"

namespace rsr::kernels {
namespace {

template <class X, class Sum>
void sum_slices(const Slices<X, Sum>& p, int64_t slice_begin, int64_t slice_end) {
  Sum* sums = p.sums;
  for (int64_t slice = slice_begin; slice < slice_end; ++slice, sums += kSliceLanes) {
    std::fill_n(sums, kSliceLanes, Sum{});
    for (int64_t step = p.slice_steps[slice]; step < p.slice_steps[slice + 1]; ++step) {
      const uint16_t* columns = p.columns + step * kSliceLanes;
      for (int lane = 0; lane < kSliceLanes; ++lane) {
        sums[lane] += static_cast<Sum>(p.x[columns[lane]]);
      }
    }
  }
}

}  // namespace

void slices_i32_reference(const SlicesI32& p, int64_t slice_begin, int64_t slice_end) noexcept {
  sum_slices(p, slice_begin, slice_end);
}

void slices_f32_reference(const SlicesF32& p, int64_t slice_begin, int64_t slice_end) noexcept {
  sum_slices(p, slice_begin, slice_end);
}

}  // namespace rsr::kernels
