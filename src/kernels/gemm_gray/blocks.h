// The loops of gemm_gray, written once for vectors of 32 and of 64 bytes (`V`, in the ISA files)
// and for both alphabets.
// (blocks_range.h has the order).
#pragma once

#include <cstdint>

#include "kernels/gemm_gray/blocks_range.h"
#include "kernels/gemm_gray/gemm_gray.h"
#include "kernels/gemm_tables/blocks_frame.h"
#include "kernels/gemm_tables/blocks_sums.h"

namespace rsr::kernels {
namespace {

/// V with the additions of int16.
template <class V>
struct Int16s : V {
  static constexpr int kPairsOfStep = 1;
  static RSR_INLINE auto add(typename V::Vector a, typename V::Vector b) { return V::add16(a, b); }
  static RSR_INLINE auto sub(typename V::Vector a, typename V::Vector b) { return V::sub16(a, b); }
};

/// What lies where in the scratch memory.
template <class V, class Code>
struct GrayScratch {
  static constexpr int64_t kRunning =
      ((kGrayTileCols + Code::kPatterns) / 2 + 5) * int64_t{V::kBytes};
  static constexpr int64_t kWaiting = Results<V, Code::kDigits>::kMemory;
  static constexpr int64_t kSums = kBlockVectors * kGrayRows * V::kBytes / 2;

  explicit GrayScratch(void* memory)
      : running(static_cast<uint8_t*>(memory)),
        waiting(running + kRunning),
        sums16(reinterpret_cast<int16_t*>(waiting + kWaiting)),
        sums32(reinterpret_cast<int32_t*>(sums16 + kSums)),
        inputs(reinterpret_cast<uint8_t*>(sums32 + kSums)) {
    static_assert(kRunning + kWaiting + kSums * 6 <= kGrayFixedScratch);
  }

  uint8_t* running;  // sums of a cell
  uint8_t* waiting;  // results
  int16_t* sums16;   // [token tile][row][tokens]
  int32_t* sums32;   // the same
  uint8_t* inputs;   // [tile of columns][token tile][column, and kGrayExtraVectors][tokens], int16
};

/// Up to four token tiles.
template <class V, class Code>
class GrayTokens {
 public:
  GrayTokens(const MatvecI8& p, int64_t token)
      : p_(p), gray_(*p.gray), room_(p.scratch), range_(gray_, room_.running), token_(token) {
    const Sums<V, Code::kDigits> sums(p, token, {});
    vectors_ = sums.vectors();
    for (int64_t tile = 0; tile < gray_.tiles(); ++tile) {
      for (int64_t v = 0; v < vectors_; ++v) {
        Vector* x = columns(tile, v);
        const int64_t steps =
            (smaller(gray_.cols - tile * gray_.tile_cols, gray_.tile_cols) + 3) / 4;
        load_columns<V>(sums.inputs(v, tile * gray_.tile_cols), steps, sums.width(v), x);
        TileReach reach;
        for (int64_t c = 0; c < 4 * steps; ++c) reach.add(x[c]);
        x += gray_.tile_cols;
        x[0] = V::zero();
        x[1] = reach.up;
        x[2] = reach.down;
      }
    }
  }

  /// The rows of up to kGrayTiles tiles.
  void multiply(Tiles tiles) {
    range_.choose(tiles);
    Sums<V, Code::kDigits> sums(p_, token_, {room_.sums16, room_.sums32, kGrayRows, range_.rows()});
    for (int64_t v = 0; v < vectors_; ++v) sums.clear(v);
    for (int64_t tile = 0; tile < gray_.tiles(); ++tile) {
      for (int64_t v = 0; v < vectors_; ++v) add_tile(tile, v, sums);
    }
    sums.write(tiles, range_.row_of(tiles), room_.waiting);
  }

 private:
  using Vector = typename V::Vector;
  using TileReach = Reach<V, Code::kDigits>;

  Vector* columns(int64_t tile, int64_t v) const {
    return reinterpret_cast<Vector*>(room_.inputs) +
           (tile * vectors_ + v) * (gray_.tile_cols + kGrayExtraVectors);
  }

  void add_tile(int64_t tile, int64_t v, Sums<V, Code::kDigits>& sums) {
    const Vector* x = columns(tile, v);
    const TileReach reach{x[gray_.tile_cols + 1], x[gray_.tile_cols + 2]};
    if (reach.too_far()) return add_halves(tile, v, sums);
    sums.expect(v, reach);
    range_.add(tile, v, x, sums.of(v, 0));
  }

  /// A tile of columns that could overflow: one half of its columns, then the other.
  void add_halves(int64_t tile, int64_t v, Sums<V, Code::kDigits>& sums) {
    alignas(64) Vector half[kGrayTileCols + 1];
    const Vector* x = columns(tile, v);
    for (int part = 0; part < 2; ++part) {
      for (int64_t c = 0; c <= gray_.tile_cols; ++c) {
        half[c] = (c < kGrayTileCols / 2) == (part == 0) ? x[c] : V::zero();
      }
      sums.empty(v);
      range_.add(tile, v, half, sums.of(v, 0));
    }
    sums.empty(v);
  }

  const MatvecI8& p_;
  const GrayGroups& gray_;
  GrayScratch<V, Code> room_;
  GrayRange<Int16s<V>, Code> range_;
  int64_t token_;
  int64_t vectors_;
};

template <class V, class Code>
void multiply_gray(const MatvecI8& p, int64_t tile_begin, int64_t tile_end) {
  for (int64_t token = 0; token < p.batch; token += kBlockVectors * V::kBytes / 2) {
    GrayTokens<V, Code> tokens(p, token);
    for_each_piece(tile_begin, tile_end, [&](Tiles tiles) { tokens.multiply(tiles); });
  }
}

template <class V>
void multiply_gray(const MatvecI8& p, int64_t tile_begin, int64_t tile_end) {
  with_code(*p.gray, [&](auto code) { multiply_gray<V, decltype(code)>(p, tile_begin, tile_end); });
}

}  // namespace
}  // namespace rsr::kernels
