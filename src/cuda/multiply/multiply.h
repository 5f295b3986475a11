// Operation multiply: packed ternary or binary matrices times int8 vectors, exact.
//
//   sum[t][r] = sum over c of value(r, c) * x[t][c]
//   y[t][r]   = (float(sum) * token_scales[t]) * row_scale(r)        same bits as kernels/matvec
//
// The lines of matrix/format.h are read as they are: they happen to be in the order of the tensor
// cores' fragments. AND with a mask leaves four consecutive columns of a row in the bytes of a
// dword, and a matrix instruction wants just that of its lanes; docs/cuda.md draws it. Several
// matrices that read the same vectors go in one launch.
#pragma once

#include <cstdint>

#include "cuda/norm/activation.h"
#include "matrix/format.h"
#include "matrix/packed.h"

namespace rsr::cuda {

inline constexpr int kMostMatrices = 3;

/// One matrix, and where its results go.
struct PackedMatrix {
  const uint8_t* lines = nullptr;  // [tiles][tile_lines][64]
  int32_t tile_lines = 0;
  int32_t rows = 0;
  // With group scales: total = sum over groups, in order, of float(sum of the group) * scale, one
  // rounding for each product and sum; it takes the place of float(sum). t2 and b1 only, floats
  // only.
  int32_t group_lines = 0;              // lines of a group; 0: no groups
  const float* group_scales = nullptr;  // [tiles][groups][16]
  const float* row_scales = nullptr;    // [rows]; null: `scale` for every row
  float scale = 1.0f;
  float* y = nullptr;       // [batch][stride]; or, when null,
  int32_t* sums = nullptr;  // [batch][stride]: the integers, without any scale
  int64_t stride = 0;
};

/// Kernels to choose from: blocks whose warps share out the columns of so many rows (32 where there
/// are more than sixteen vectors), or blocks of rows x vectors. For tests and benchmarks; the
/// operation chooses by itself.
enum class MultiplyWay : uint8_t {
  chosen,
  rows16,
  rows32,
  block64x64,
  block128x64,
  block128x128,
  block256x128
};

struct Multiply {
  matrix::Format format = matrix::Format::t2;  // of all matrices: t2, t5 or b1
  matrix::Alphabet alphabet = matrix::Alphabet::ternary;
  int32_t count = 0;  // of matrices, 1 to kMostMatrices
  PackedMatrix matrices[kMostMatrices];
  // Vectors as operation norm leaves them: zeros from the columns to a multiple of 16 bytes. They
  // may end before the padded columns of the format; what lies beyond x_stride is not read. With
  // groups that are no whole lines, vectors are spread as the columns of the matrix are
  // (matrix/column_layout.h).
  const int8_t* x = nullptr;  // [batch][x_stride], on a 16-byte boundary
  int64_t x_stride = 0;       // a multiple of 16
  int32_t batch = 0;
  const int32_t* x_sums = nullptr;      // [batch]: sum of x; for ternary and signs
  const float* token_scales = nullptr;  // [batch]; null: 1
  MultiplyWay way = MultiplyWay::chosen;
  // Of two matrices, a gate and its up, whose products nobody wants by themselves: y of the first
  // is activation(gate) * up, with the bits of operation gate. can_gate() says where.
  bool gated = false;
  GateActivation activation = GateActivation::relu2;
};

/// Whether operation multiply can do what `gated` asks for: two matrices of one shape without group
/// scales, few vectors.
inline bool can_gate(const Multiply& p) {
  const PackedMatrix& gate = p.matrices[0];
  const PackedMatrix& up = p.matrices[1];
  constexpr int kMostVectors = 8;
  return p.count == 2 && p.batch <= kMostVectors && gate.rows == up.rows &&
         gate.tile_lines == up.tile_lines && gate.group_lines == 0 && up.group_lines == 0;
}

}  // namespace rsr::cuda
