// The order of gemm_gray's loops, for all vectors and alphabets.
//
// The inputs of up to four token tiles become vectors first, all columns. Then 240 rows at a time,
// tile of columns by tile of columns, and of that each token tile in turn: the rows' sums and the
// index of a tile stay in L2, the inputs of a token tile in L1.
#pragma once

#include <cstdint>

#include "kernels/gemm_gray/blocks_cell.h"
#include "kernels/gemm_gray/gemm_gray.h"
#include "kernels/gemm_tables/blocks_frame.h"

namespace rsr::kernels {
namespace {

// A multiple of 3: blocks of 4 and of 6 rows end where such tiles of 16 do.
constexpr int64_t kGrayTiles = 15;
// A range of rows may begin within a block, and end within one.
constexpr int64_t kGrayRows = kGrayTiles * kMatvecTileRows + 16;

/// Calls multiply(tiles) for up to kGrayTiles tiles at a time; all but the ends of the range are
/// also ends of blocks.
template <class Multiply>
void for_each_piece(int64_t tile_begin, int64_t tile_end, const Multiply& multiply) {
  for (int64_t tile = tile_begin; tile < tile_end;) {
    const int64_t next = (tile / kGrayTiles + 1) * kGrayTiles;
    const int64_t end = next < tile_end ? next : tile_end;
    multiply(Tiles{tile, end - tile});
    tile = end;
  }
}

/// Calls run(code) with the code of an index's alphabet.
template <class Run>
void with_code(const GrayGroups& gray, const Run& run) {
  if (gray.ternary) return run(GrayCode<3, kGrayRowsTernary>{});
  run(GrayCode<2, kGrayRowsBinary>{});
}

inline int64_t smaller(int64_t a, int64_t b) {
  return a < b ? a : b;
}

/// The blocks that some tiles of rows reach into. `Ops` has the vectors of inputs and sums with
/// their load, store, zero, add and sub.
template <class Ops, class Code>
class GrayRange {
 public:
  /// `running` is memory for the running sums of a cell.
  GrayRange(const GrayGroups& gray, uint8_t* running) : gray_(gray), running_(running) {}

  void choose(Tiles tiles) {
    const int64_t row = tiles.first * kMatvecTileRows;
    const int64_t end = smaller(row + tiles.count * kMatvecTileRows, gray_.rows);
    first_ = row / Code::kRows;
    end_ = (end + Code::kRows - 1) / Code::kRows;
  }
  /// Rows of its blocks, at most kGrayRows.
  int64_t rows() const { return (end_ - first_) * Code::kRows; }
  /// The first row of `tiles` among them.
  int64_t row_of(Tiles tiles) const { return tiles.first * kMatvecTileRows - first_ * Code::kRows; }

  /// sums[row] += product of a tile of columns, whose inputs are x, token tile `v` of the turn.
  void add(int64_t tile, int64_t v, const void* x, void* sums) const {
    const auto* inputs = static_cast<const uint8_t*>(x);
    auto* y = static_cast<uint8_t*>(sums);
    const int64_t cells = tile * gray_.blocks(Code::kRows);
    for (int64_t b = first_; b < end_; ++b, y += Code::kRows * Ops::kBytes) {
      const int64_t cell = cells + b;
      if (gray_.code != nullptr) {
        run_cell(gray_, cell, next_cell(tile, b), v, inputs, y);
        continue;
      }
      const int64_t* places = gray_.cell_places + cell;
      add_cell<Ops, Code>(
          {gray_.places + places[0], gray_.places + places[1], gray_.ends + cell * Code::kPatterns},
          inputs, running_, y);
    }
  }

 private:
  /// Whose code to ask for while a cell runs: the same rows in the next tile of columns, or, in the
  /// last, rows as far below them in the first.
  int64_t next_cell(int64_t tile, int64_t block) const {
    const int64_t blocks = gray_.blocks(Code::kRows);
    if (tile + 1 < gray_.tiles()) return (tile + 1) * blocks + block;
    return smaller(block + end_ - first_, blocks - 1);
  }

  const GrayGroups& gray_;
  uint8_t* running_;
  int64_t first_ = 0;  // block of rows
  int64_t end_ = 0;
};

}  // namespace
}  // namespace rsr::kernels
