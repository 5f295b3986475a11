// Operation gemm_tables: the products of gemm (kernels/gemm/gemm.h) by look-up. It is the dual of
// RSR (segment/row_tables.h) for many vectors at once, known as the method of the Four Russians:
// equal segments of rows share one sum.
//
// Columns are cut into groups of c, four ternary or six binary ones. A table has an entry for each
// of the 3^c or 2^c segments that a row may have there: the sums of this segment with a tile of
// tokens, one vector of int16. Building it takes an addition per entry, serves all rows, and then
// every row adds one entry per group, whatever the weights are:
//
//   y[row] += table[group][code of the row's segment]        c weights of all tokens, one addition
//
// A multiply-add into int32 does 4 columns of 16 tokens with one instruction of 512 bits where the
// processor has dot products (VNNI); this does 4 or 6 columns of 32 tokens with an addition, a load
// and two instructions that find the address.
//
// Tables are as wide as a vector: a token tile is 32 tokens with 64 bytes, 16 with 32. Eight tables
// stay in L1 (41 KB and 20 KB ternary, 32 and 16 binary); all rows of a block meet them before the
// next eight are built, their int16 sums waiting in L2.
//
// int16 sums cannot overflow: beside them runs the sum of |x| over the columns since they were last
// emptied into int32, and before it passes 32,767 for a token they are emptied again.
//
// Same parameters and results as matvec_*_i8, bit for bit, except that there must be no scales per
// group of columns, and that `scratch` must be kGemmTablesScratch bytes, aligned to 64.
#pragma once

#include <cstdint>

#include "kernels/matvec/matvec.h"

namespace rsr::kernels {

/// Enough for 64-byte vectors: tables, inputs, codes, sums in int16 and int32.
inline constexpr int64_t kGemmTablesScratch = int64_t{2112} << 10;

/// Float inputs: the same sums as matvec_*_f32, added in the same order, so the same bits; tables
/// of four columns (t2), three (t3) or five (b1). A token tile is 16 tokens with 64 bytes, 8
/// with 32. There must be no scales per group of columns.
struct GemmTablesF32 {
  PackedMatrix w;
  const float* x = nullptr;  // [batch][x_stride], finite
  int64_t x_stride = 0;
  int64_t cols = 0;
  bool signs = false;  // b1: a zero bit weighs -1 instead of 0
  int64_t batch = 0;
  Output out;
  void* scratch = nullptr;  // kGemmTablesScratch bytes, aligned to 64
};
using GemmTablesF32Function = void(const GemmTablesF32& p, int64_t tile_begin,
                                   int64_t tile_end) noexcept;

#define GEMM_TABLES_F32(format, isa, token_tile) \
  GemmTablesF32Function gemm_tables_##format##_f32_##isa;
#define GEMM_TABLES_I8(format, isa, token_tile) MatvecI8Function gemm_tables_##format##_i8_##isa;
#include "kernels/gemm_tables/kernels.inc"

}  // namespace rsr::kernels
