// Operation matvec: a packed ternary or binary matrix times a batch of vectors.
//
//   y[t][r] = sum over c of (code(r, c) - 1) * x[t][c]
//
// Format t2: 2 bits per weight, code = value + 1 in {0, 1, 2}. One line of 64 bytes holds a tile of
// 16 rows x 16 columns:
//
//   byte 4r + b of a line  =  columns b, b+4, b+8, b+12 of row r, in bits 1:0, 3:2, 5:4, 7:6
//
// so that AND with 0x03 << 2f leaves, in the dword of row r, the codes of the four consecutive
// columns 4f .. 4f+3 (times 4^f): one dot-product instruction multiplies them with four int8
// activations broadcast to all 16 rows. No shifts: the four fields go to four accumulators, which
// are scaled back once at the end. Lines of a row tile follow each other along the columns, tiles
// follow each other along the rows:
//
//   codes[tile][step][64],  tile = row / 16,  step = column / 16
//
// Alignment: 64 bytes. Padding rows and columns hold code 1 (zero). Overflow: field 3 is scaled by
// 64, so a lane gains at most 4 * 128 * 128 = 2^16 a step and is emptied after kMaxSteps steps.
#pragma once

#include <cstdint>

namespace rsr::segment {
struct ColumnGroups;
}

namespace rsr::kernels {

inline constexpr int kT2Rows = 16;         // rows of a tile
inline constexpr int kT2Cols = 16;         // columns of a line
inline constexpr int kT2LineBytes = 64;    // bytes of a line
inline constexpr int kT2MaxSteps = 16384;  // steps between emptyings: 2^14 * 2^16 = 2^30 < 2^31

/// Integer activations, exact integer result.
struct MatvecT2I8 {
  const uint8_t* codes = nullptr;  // first line of tile 0
  int64_t tile_stride = 0;         // bytes from one row tile to the next
  int64_t steps = 0;               // lines of a tile that take part
  const int8_t* x = nullptr;       // [batch][x_stride], steps * 16 columns each, zero padded
  int64_t x_stride = 0;
  const int32_t* x_sums = nullptr;  // [batch]: sum of those columns
  int64_t batch = 0;
  int32_t* y = nullptr;  // [batch][y_stride], 16 per tile
  int64_t y_stride = 0;
};

/// Float activations; each row is summed in column order, in runs of 64 columns whose sums are then
/// added, so that the error stays near that of the additions of a run.
struct MatvecT2F32 {
  const uint8_t* codes = nullptr;
  int64_t tile_stride = 0;
  int64_t steps = 0;
  const float* x = nullptr;  // [batch][x_stride], steps * 16 columns each, zero padded
  int64_t x_stride = 0;
  int64_t batch = 0;
  float* y = nullptr;  // [batch][y_stride], 16 per tile
  int64_t y_stride = 0;
};

inline constexpr int kT2RunSteps = 4;  // lines of a run: 64 columns

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
using MatvecT2I8Function = void(const MatvecT2I8& p, int64_t tile_begin, int64_t tile_end) noexcept;
using MatvecT2F32Function = void(const MatvecT2F32& p, int64_t tile_begin,
                                 int64_t tile_end) noexcept;
using MatvecGroupsI8Function = void(const MatvecGroupsI8& p, int64_t block_begin,
                                    int64_t block_end) noexcept;
using MatvecGroupsF32Function = void(const MatvecGroupsF32& p, int64_t block_begin,
                                     int64_t block_end) noexcept;

#define MATVEC_T2_I8(isa) MatvecT2I8Function matvec_t2_i8_##isa;
#define MATVEC_T2_F32(isa) MatvecT2F32Function matvec_t2_f32_##isa;
#define MATVEC_GROUPS_I8(isa) MatvecGroupsI8Function matvec_groups_i8_##isa;
#define MATVEC_GROUPS_F32(isa) MatvecGroupsF32Function matvec_groups_f32_##isa;
#include "kernels/matvec/kernels.inc"

}  // namespace rsr::kernels
