// Operation slices: the sums of RSR's column groups, sixteen at a time, for indexes that put a
// column of each side by side (drawn in segment/group_slices.h).
//
//   sums[slice][lane] = sum over the steps of the slice of x[columns[step][lane]]
//
// int32 (of int8 values): modulo 2^32, so that partial sums may wrap. float: in double, step after
// step: the bits are the same everywhere.
#pragma once

#include <cstdint>

namespace rsr::kernels {

inline constexpr int kSliceLanes = 16;

template <class X, class Sum>
struct Slices {
  const uint16_t* columns = nullptr;     // [steps][16]
  const int64_t* slice_steps = nullptr;  // [slices + 1]
  const X* x = nullptr;                  // inputs of the tile, and a zero at the place of no column
  Sum* sums = nullptr;                   // [slices of the range][16], on a 64-byte boundary
};
using SlicesI32 = Slices<int32_t, uint32_t>;
using SlicesF32 = Slices<float, double>;

/// Kernels sum the slices [slice_begin, slice_end), which belong to one tile.
using SlicesI32Function = void(const SlicesI32& p, int64_t slice_begin, int64_t slice_end) noexcept;
using SlicesF32Function = void(const SlicesF32& p, int64_t slice_begin, int64_t slice_end) noexcept;

#define SLICES_I32(isa) SlicesI32Function slices_i32_##isa;
#define SLICES_F32(isa) SlicesF32Function slices_f32_##isa;
#include "kernels/slices/kernels.inc"

}  // namespace rsr::kernels
