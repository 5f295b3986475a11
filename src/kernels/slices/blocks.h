// The sums of slices, written once for two widths (`V`: gathers256.h, gathers512.h).
#pragma once

#include "kernels/repeat.h"
#include "kernels/slices/slices.h"

namespace rsr::kernels {
namespace {

template <class V, class X, class Sum>
inline void sum_slices(const Slices<X, Sum>& p, int64_t slice_begin, int64_t slice_end) {
  // The index is read in order; the hardware's prefetchers stop at each 4 KiB page.
  constexpr int kAhead = 2048;
  constexpr int kParts = kSliceLanes / V::kLanes;
  Sum* sums = p.sums;
  for (int64_t slice = slice_begin; slice < slice_end; ++slice, sums += kSliceLanes) {
    const uint16_t* columns = p.columns + p.slice_steps[slice] * kSliceLanes;
    const uint16_t* const end = p.columns + p.slice_steps[slice + 1] * kSliceLanes;
    decltype(V::zero(Sum{})) parts[kParts];
    repeat<kParts>([&](auto i) RSR_INLINE { parts[i] = V::zero(Sum{}); });
    for (; columns != end; columns += kSliceLanes) {
      _mm_prefetch(reinterpret_cast<const char*>(columns) + kAhead, _MM_HINT_T0);
      repeat<kParts>([&](auto i) RSR_INLINE {
        V::add(parts[i], V::gather(p.x, V::load_places(columns + i * V::kLanes)));
      });
    }
    repeat<kParts>([&](auto i) RSR_INLINE { V::store(sums + i * V::kLanes, parts[i]); });
  }
}

}  // namespace
}  // namespace rsr::kernels
