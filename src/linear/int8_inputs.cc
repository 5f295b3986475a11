#include "linear/int8_inputs.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <functional>

#include "base/check.h"

namespace rsr::linear {
namespace {

using matrix::ColumnLayout;

// Bytes of x below which a second thread is not worth starting: a microsecond or two of copying.
constexpr int64_t kBytesPerThread = int64_t{16} << 10;
constexpr int kWidestTile = 32;   // tokens of a tile
constexpr int64_t kRowStep = 64;  // bytes of rows that kernels read at a time (kernels/gemm/gemm.h)

int32_t sum_of(const int8_t* x, int64_t count) {
  int32_t sum = 0;
  for (int64_t i = 0; i < count; ++i) sum += x[i];
  return sum;
}

/// One tile of some rows, dword by dword: [step of four columns][row][4]. Written in order, since
/// the rows are read from so many places: 64 rows of 2,560 columns take 12 microseconds.
void interleave(const int8_t* const* rows, int count, int64_t cols, int8_t* out) {
  for (int64_t c = 0; c < cols; c += 4) {
    for (int t = 0; t < count; ++t, out += 4) std::memcpy(out, rows[t] + c, 4);
  }
}

/// Bytes that may be read of a row, in steps from the begin of each segment on.
int64_t row_bytes(const ColumnLayout& layout) {
  const int64_t last = (layout.segments() - 1) * layout.steps_per_segment() * layout.step();
  return last + (layout.padded_cols() - last + kRowStep - 1) / kRowStep * kRowStep;
}

/// From row to row: an odd number of steps.
int64_t row_stride(const ColumnLayout& layout) {
  return ((row_bytes(layout) + kRowStep - 1) / kRowStep | 1) * kRowStep;
}

/// True when several rows can be multiplied as they lie there, and fast.
bool serves_tiles(const ColumnLayout& layout, const RowsI8& x) {
  return x.readable >= row_bytes(layout) && x.stride % kRowStep == 0 &&
         reinterpret_cast<uintptr_t>(x.x) % kRowStep == 0;
}

}  // namespace

const int32_t* segment_sums(Context::Impl& context, const ColumnLayout& layout, const RowsI8& x) {
  if (x.sums != nullptr && layout.segments() == 1) return x.sums;
  context.corrections.reserve_discard(static_cast<size_t>(layout.segments() * x.batch));
  int32_t* sums = context.corrections.data();
  const auto part = [&](base::Range tokens) {
    for (int64_t s = 0; s < layout.segments(); ++s) {
      const base::Range columns = layout.columns(s);
      for (int64_t t = tokens.begin; t < tokens.end; ++t) {
        sums[s * x.batch + t] =
            sum_of(x.x + t * x.stride + columns.begin, columns.end - columns.begin);
      }
    }
  };
  context.pool.parallel_for(x.batch, std::cref(part), 1 + kBytesPerThread / layout.cols());
  return sums;
}

InputsI8 lay_out(Context::Impl& context, const ColumnLayout& layout, const RowsI8& x,
                 int token_tile) {
  const int64_t cols = layout.padded_cols();
  const bool several_rows = token_tile == 1 && x.batch > 1;
  const int64_t stride = several_rows ? row_stride(layout) : cols;
  const bool padded = layout.contiguous() && x.readable >= cols;
  if (several_rows ? padded && serves_tiles(layout, x) : padded && token_tile == 1) {
    return {x.x, x.stride, 1};
  }
  RSR_CHECK_OP(token_tile, <=, kWidestTile);
  const bool copied = several_rows || !padded;
  if (copied) context.x_i8.reserve_discard(static_cast<size_t>(x.batch * stride));
  if (token_tile > 1) context.x_tiles.reserve_discard(static_cast<size_t>(x.batch * cols));
  const auto row = [&](int64_t t) -> const int8_t* {
    if (!copied) return x.x + t * x.stride;
    int8_t* copy = context.x_i8.data() + t * stride;
    layout.spread(x.x + t * x.stride, copy);
    return copy;
  };
  const auto part = [&](base::Range tiles) {
    for (int64_t tile = tiles.begin; tile < tiles.end; ++tile) {
      const int64_t first = tile * token_tile;
      const auto count = static_cast<int>(std::min<int64_t>(token_tile, x.batch - first));
      std::array<const int8_t*, kWidestTile> rows{};
      for (int t = 0; t < count; ++t) rows[static_cast<size_t>(t)] = row(first + t);
      if (token_tile > 1) {
        interleave(rows.data(), count, cols, context.x_tiles.data() + first * cols);
      }
    }
  };
  const int64_t tiles = (x.batch + token_tile - 1) / token_tile;
  context.pool.parallel_for(tiles, std::cref(part), 1 + kBytesPerThread / (cols * token_tile));
  if (token_tile > 1) return {context.x_tiles.data(), cols, token_tile};
  return {context.x_i8.data(), stride, 1};
}

}  // namespace rsr::linear
