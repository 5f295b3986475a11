// Operation matvec: a packed ternary or binary matrix times one vector or a small batch.
//
//   y[t][r] = scale[t][r] * (sum over c of value(r, c) * x[t][c])
//
// The formats are drawn in matrix/format.h: lines of 64 bytes, 16 rows (a tile) each. Kernels of a
// format are drop-in for each other: the int8 ones bit for bit because integers are exact, the
// float ones because the order of additions is part of the contract.
//
// Integer accumulators: a dword lane gains at most 4 * 128 * 128 = 2^16 in a step of four columns
// whose codes are left in place (128 = code 2 in bits 7:6, or bit 7 of b1), and one accumulator
// takes at most one such step of a line. It is emptied after kMaxLines lines: 2^30. The sums of the
// emptied accumulators are taken modulo 2^32; the result itself always fits (matrix/values.h).
#pragma once

#include <cstdint>

namespace rsr::segment {
struct ColumnGroups;
}

namespace rsr::kernels {

struct GrayGroups;  // kernels/gemm_gray/gemm_gray.h

inline constexpr int kMatvecTileRows = 16;
inline constexpr int kMatvecLineBytes = 64;
inline constexpr int64_t kMaxLines = 16384;

/// Where the results of a product go, and their scales. Rows from `rows` on are not written.
struct Output {
  int64_t rows = 0;
  int32_t* sums = nullptr;  // [batch][stride]: exact integers without any scale; or, when null,
  float* y = nullptr;       // [batch][stride]
  int64_t stride = 0;
  const float* token_scales = nullptr;  // [batch]; null: 1
  const float* row_scales = nullptr;    // [rows]; null: `scale` for every row
  float scale = 1.0f;                   // y = (float(sum) * token_scale) * row_scale
};

/// What both kinds of product know about the matrix.
struct PackedMatrix {
  const uint8_t* lines = nullptr;  // first line of tile 0
  int64_t tile_stride = 0;         // bytes from one tile to the next
  int64_t tile_lines = 0;          // lines of a tile
  int64_t group_lines = 0;         // lines of a group of columns with its own scale; 0: no groups
  const float* group_scales = nullptr;  // [tiles][groups][16]
  int64_t groups() const {
    return group_lines > 0 ? (tile_lines + group_lines - 1) / group_lines : 1;
  }
};

/// Software prefetch, in bytes ahead of each stream: into L1 (`near`) and into L2 (`far`). It costs
/// nothing where the weights are in a cache.
struct Prefetch {
  int near = 1024;
  int far = 2048;
};

/// Integer activations. The sum of a row (or of a group of it) is
///   (sum of code * x) * 2^shift - corrections[group][t]
/// ternary: shift 0, correction = sum of x; {0, 1}: 0 and 0; {-1, +1}: 1 and sum of x.
/// With group scales: total = sum over groups of float(sum of the group) * group_scale, in order,
/// one rounding each, and `total` takes the place of float(sum).
struct MatvecI8 {
  PackedMatrix w;
  // Tokens lie in tiles of `token_tile` (the last may be narrower), a tile as
  // [steps of four columns][its tokens][4]; so a token tile of 1 is a plain row of x. Zero padded.
  const int8_t* x = nullptr;
  int64_t x_cols = 0;  // padded columns of a token
  int token_tile = 1;
  int64_t batch = 0;
  const int32_t* corrections = nullptr;  // [groups][batch]
  int shift = 0;
  Prefetch prefetch;
  Output out;
  void* scratch = nullptr;           // of this call, for kernels that ask for some
  const GrayGroups* gray = nullptr;  // the matrix once more, for gemm_gray
};

/// Float activations. Format t2 reads x as it is, zero padded; t3 and b1 read tables of sums that
/// operation `tables` made of it. Additions: within a line as written there; the sums of up to
/// kFloatRunLines lines (of one group) are added up in order in float, those runs in double, times
/// their group scale; y rounds once more. So a row's error is at most 15 roundings:
///   |error| <= 15 * 2^-24 * sum over c of |w_rc x_c|  <  1e-6 of that, whatever the width.
struct MatvecF32 {
  PackedMatrix w;
  const float* x = nullptr;  // [batch][x_stride]
  int64_t x_stride = 0;
  int64_t batch = 0;
  Prefetch prefetch;
  Output out;
};

inline constexpr int kFloatRunLines = 8;

// Floats of the tables that meet one line of t3 (six of 32), and one pair of lines of b1 (twelve of
// 32, and one of 16 for the bits 31:30 of both dwords).
inline constexpr int kT3LineFloats = 6 * 32;
inline constexpr int kB1PairFloats = 12 * 32 + 16;

/// Format groups: RSR's column groups (layout: segment/column_groups.h). `form` is the value of an
/// rsr::RsrForm that the index was built for. Columns of the tiles [index_tile_begin,
/// index_tile_end) take part; no padding anywhere. `scratch` belongs to this call, of
/// segment::scratch_bytes().
template <class X, class Y>
struct MatvecGroups {
  const segment::ColumnGroups* groups = nullptr;
  int form = 0;
  int64_t index_tile_begin = 0;
  int64_t index_tile_end = 0;
  const X* x = nullptr;  // [batch][x_stride], all columns of the matrix
  int64_t x_stride = 0;
  int64_t batch = 0;
  Y* y = nullptr;  // [batch][y_stride], all rows of the matrix
  int64_t y_stride = 0;
  void* scratch = nullptr;
};
using MatvecGroupsI8 = MatvecGroups<int8_t, int32_t>;
using MatvecGroupsF32 = MatvecGroups<float, float>;

/// Kernels compute the row tiles [tile_begin, tile_end); for groups these are blocks of k rows.
using MatvecI8Function = void(const MatvecI8& p, int64_t tile_begin, int64_t tile_end) noexcept;
using MatvecF32Function = void(const MatvecF32& p, int64_t tile_begin, int64_t tile_end) noexcept;
using MatvecGroupsI8Function = void(const MatvecGroupsI8& p, int64_t block_begin,
                                    int64_t block_end) noexcept;
using MatvecGroupsF32Function = void(const MatvecGroupsF32& p, int64_t block_begin,
                                     int64_t block_end) noexcept;

#define MATVEC_I8(format, isa, token_tile) MatvecI8Function matvec_##format##_i8_##isa;
#define MATVEC_F32(format, isa) MatvecF32Function matvec_##format##_f32_##isa;
#define MATVEC_GROUPS_I8(isa) MatvecGroupsI8Function matvec_groups_i8_##isa;
#define MATVEC_GROUPS_F32(isa) MatvecGroupsF32Function matvec_groups_f32_##isa;
#include "kernels/matvec/kernels.inc"

}  // namespace rsr::kernels
