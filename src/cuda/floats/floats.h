// Operation floats: a packed ternary or binary matrix (t2 or b1) times vectors of floats.
//
// A unit is 16 consecutive columns of a row: a line of t2, or half a line of b1 (columns 0 .. 15
// and 16 .. 31). The bits are those of kernels/matvec's t2, and the same rule holds for b1:
//
//   field f of a unit = ((w0 x0 + w1 x1) + w2 x2) + w3 x3   of its columns 4f .. 4f + 3, in float
//   unit              = (field 0 + field 1) + (field 2 + field 3)
//   run               = the units of up to 8 lines of t2 or 4 lines of b1, added up in order
//   sum               = the runs, in order, in double, each times its group's scale
//   y                 = float(sum) * row_scale
//
// Groups begin a run of their own. This holds for every x, also where sums overflow. Infinities and
// NaN go into a sum by a weight of zero, too, if it is ternary; columns of a binary zero are left
// out. Vectors may be f32, f16 or bf16, widened exactly.
#pragma once

#include <cstdint>

#include "cuda/multiply/multiply.h"

namespace rsr::cuda {

enum class FloatType : uint8_t { f32, f16, bf16 };

struct Floats {
  matrix::Format format = matrix::Format::t2;  // t2 (ternary), or b1 (binary or signs)
  matrix::Alphabet alphabet = matrix::Alphabet::ternary;
  PackedMatrix w;  // sums is not for floats
  FloatType x_type = FloatType::f32;
  const void* x = nullptr;  // [batch][x_stride], in the padded places of the columns
  int64_t x_stride = 0;     // at least cols
  int32_t cols = 0;         // columns from here on are padding: x is not read there
  int32_t batch = 0;
};

}  // namespace rsr::cuda
