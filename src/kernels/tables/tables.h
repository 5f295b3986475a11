// Operation tables: the sums that a few inputs can have, for products that look them up.
//
// Instead of multiplying each float with a weight, t3 and b1 use the code of three or five weights
// as index into a table of the 27 or 32 sums that these inputs can have: the idea of the "Four
// Russians", and of RSR's dual (segment/row_tables.h), with the table in two registers.
//
// t3, for each line of 18 columns, six tables of 32 floats (27 used, the rest 0):
//   entry[code] = (s0 * x0 + s1 * x1) + s2 * x2,   code = digits d0 + 3 d1 + 9 d2, s = d - 1
// b1, for each pair of lines (64 columns; columns beyond the matrix count as 0):
//   twelve tables of 32 floats, for bits 5g .. 5g+4 of the dwords of both lines, g = 0 .. 5:
//     entry[code] = ((v0 + v1) + (v2 + v3)) + v4,  v = weight * x with weight 0, 1 or -1, +1
//   one of 16, for bits 30, 31 of the first and of the second dword: (v0 + v1) + (v2 + v3)
//   bit p of a dword is column 4 (p % 8) + p / 8 of its line (matrix/format.h).
//
// No fused multiply-add changes a bit here: the products are exact.
#pragma once

#include <cstdint>

namespace rsr::kernels {

struct TablesF32 {
  const float* x = nullptr;  // [cols], finite
  int64_t cols = 0;
  bool signs = false;       // b1: a zero bit weighs -1 instead of 0
  float* tables = nullptr;  // kT3LineFloats per line or kB1PairFloats per pair
};

inline constexpr int kTableFloats = 32;

/// Kernels make the tables of the lines (t3) or pairs of lines (b1) [begin, end).
using TablesF32Function = void(const TablesF32& p, int64_t begin, int64_t end) noexcept;

#define TABLES_T3_F32(isa) TablesF32Function tables_t3_f32_##isa;
#define TABLES_B1_F32(isa) TablesF32Function tables_b1_f32_##isa;
#include "kernels/tables/kernels.inc"

}  // namespace rsr::kernels
