// int8 inputs in the layout that the kernels of a packed format read.
#pragma once

#include <cstdint>

#include "linear/context.h"
#include "matrix/column_layout.h"

namespace rsr::linear {

/// int8 inputs as they come: rows of x, [batch][stride]; `sums` of each row, or null: not known.
/// `readable` columns of a row may be read; those from `cols` on are zero.
struct RowsI8 {
  const int8_t* x = nullptr;
  int64_t stride = 0;
  int64_t cols = 0;
  int64_t readable = 0;
  int64_t batch = 0;
  const int32_t* sums = nullptr;
};

/// Sums of each segment of each row of x: [segments][batch], in the context's scratch or x.sums.
const int32_t* segment_sums(Context::Impl& context, const matrix::ColumnLayout& layout,
                            const RowsI8& x);

/// What kernels read: tokens in tiles of `token_tile`, as MatvecI8 has them.
struct InputsI8 {
  const int8_t* x = nullptr;
  int64_t x_cols = 0;
  int token_tile = 1;
};

/// x with the padding of a layout and in token tiles: as it is where that is enough, else in the
/// context's scratch.
InputsI8 lay_out(Context::Impl& context, const matrix::ColumnLayout& layout, const RowsI8& x,
                 int token_tile);

}  // namespace rsr::linear
