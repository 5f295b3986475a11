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
constexpr int kWidestTile = 32;  // tokens of a tile

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
  const bool padded = layout.contiguous() && x.readable >= cols;
  if (padded && token_tile == 1) return {x.x, x.stride, 1};
  RSR_CHECK_OP(token_tile, <=, kWidestTile);
  if (!padded) context.x_i8.reserve_discard(static_cast<size_t>(x.batch * cols));
  if (token_tile > 1) context.x_tiles.reserve_discard(static_cast<size_t>(x.batch * cols));
  const auto row = [&](int64_t t) -> const int8_t* {
    if (padded) return x.x + t * x.stride;
    int8_t* copy = context.x_i8.data() + t * cols;
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
  return {token_tile > 1 ? context.x_tiles.data() : context.x_i8.data(), cols, token_tile};
}

}  // namespace rsr::linear
