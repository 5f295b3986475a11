// int16 sums of some token tiles, which move over to int32 before they could overflow.
#pragma once

#include <cstdint>

#include "kernels/gemm_tables/blocks_frame.h"
#include "kernels/gemm_tables/blocks_inputs.h"
#include "kernels/gemm_tables/blocks_results.h"

namespace rsr::kernels {
namespace {

constexpr int64_t kBlockVectors = 4;  // token tiles at once

/// The sums of all rows of a block for up to kBlockVectors token tiles. `digits` as in Reach.
template <class V, int digits>
class Sums {
 public:
  static constexpr int64_t kTokens = V::kBytes / 2;

  /// Memory: [token tile][stride rows][tokens], of which `rows` are in use.
  struct Memory {
    int16_t* sums16;
    int32_t* sums32;
    int64_t stride;
    int64_t rows;
  };

  Sums(const MatvecI8& p, int64_t token, const Memory& memory)
      : p_(p), token_(token), memory_(memory) {
    const int64_t left = (p.batch - token + kTokens - 1) / kTokens;
    vectors_ = left < kBlockVectors ? left : kBlockVectors;
  }

  int64_t vectors() const { return vectors_; }
  /// Tokens of a token tile.
  int64_t width(int64_t v) const {
    const int64_t left = p_.batch - token_ - v * kTokens;
    return left < kTokens ? left : kTokens;
  }
  /// Inputs of a token tile from a column on, a multiple of four.
  const int8_t* inputs(int64_t v, int64_t col) const {
    return p_.x + (token_ + v * kTokens) * p_.x_cols + col * width(v);
  }
  int16_t* of(int64_t v, int64_t row) const {
    return memory_.sums16 + (v * memory_.stride + row) * kTokens;
  }
  /// True when the int16 sums have no values: what comes first is written, not added.
  bool fresh(int64_t v) const { return states_[v].fresh; }

  /// Says that columns which reach so far will be added: makes room for them.
  void expect(int64_t v, const Reach<V, digits>& reach) {
    State& state = states_[v];
    state.reach.add(reach);
    if (state.reach.too_far()) {
      empty(v);
      state.reach = reach;
    }
  }
  void added(int64_t v) { states_[v].fresh = false; }
  /// From the beginning on, and for all token tiles: sums are zeros instead of nothing.
  void clear(int64_t v) {
    cleared_ = true;
    states_[v].fresh = false;
    for (int64_t r = 0; r < memory_.rows; ++r) V::store(of(v, r), V::zero());
  }

  /// Moves the int16 sums of a token tile over to int32. Zeros are left behind where sums were
  /// cleared, else nothing.
  void empty(int64_t v) {
    State& state = states_[v];
    if (state.fresh) return;
    for (int64_t r = 0; r < memory_.rows; ++r) {
      const auto sums = V::load(of(v, r));
      auto low = V::widen_low(sums);
      auto high = V::widen_high(sums);
      int32_t* out = emptied(v, r);
      if (state.emptied) {
        low = V::add32(low, V::load(out));
        high = V::add32(high, V::load(out + kTokens / 2));
      }
      V::store(out, low);
      V::store(out + kTokens / 2, high);
      if (cleared_) V::store(of(v, r), V::zero());
    }
    state = {{}, !cleared_, true};
  }

  /// The results of some tiles, the first of which begins at row `row` of the sums. `waiting` is
  /// memory of Results::kMemory.
  void write(Tiles all, int64_t row, uint8_t* waiting) const {
    for (int64_t v = 0; v < vectors_; ++v) {
      for (int64_t t = 0; t < all.count; t += kResultTiles) {
        const int64_t left = all.count - t;
        const Tiles tiles{all.first + t, left < kResultTiles ? left : kResultTiles};
        Results<V, digits> results(p_, waiting);
        for (int64_t i = 0; i < tiles.count; ++i) add_tile(results, v, row, t + i, i);
        results.write(tiles, {token_ + v * kTokens, width(v)});
      }
    }
  }

 private:
  /// What is known of a token tile's sums.
  struct State {
    Reach<V, digits> reach = {};  // of the int16 sums
    bool fresh = true;            // they have no values yet
    bool emptied = false;         // the int32 sums have
  };

  int32_t* emptied(int64_t v, int64_t row) const {
    return memory_.sums32 + (v * memory_.stride + row) * kTokens;
  }
  void add_tile(Results<V, digits>& results, int64_t v, int64_t row, int64_t tile,
                int64_t place) const {
    const int64_t at = row + tile * kMatvecTileRows;
    results.add_tile(place, fresh(v) ? nullptr : of(v, at),
                     states_[v].emptied ? emptied(v, at) : nullptr);
  }

  State states_[kBlockVectors];
  const MatvecI8& p_;
  int64_t token_;
  Memory memory_;
  int64_t vectors_;
  bool cleared_ = false;
};

}  // namespace
}  // namespace rsr::kernels
