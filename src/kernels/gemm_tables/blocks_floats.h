// What products of float inputs share: inputs as token vectors, runs of float sums that become
// double, and results. `V`, in the ISA files, has the vectors.
#pragma once

#include <cstdint>

#include "kernels/gemm_tables/blocks_frame.h"
#include "kernels/gemm_tables/blocks_turn.h"

namespace rsr::kernels {
namespace {

/// What there is of an input, from some place on; may be more than is asked for.
struct Extent {
  int64_t tokens;
  int64_t cols;
};

/// x[token][stride] as `columns` token vectors, a multiple of four; beyond `extent` zeros.
template <class V>
inline void turn_columns(const float* x, int64_t stride, Extent extent, int64_t columns,
                         float* out) {
  constexpr int64_t kTokens = V::kBytes / 4;
  const bool all_tokens = extent.tokens >= kTokens;
  const int64_t whole = !all_tokens ? 0 : extent.cols < columns ? extent.cols / 4 * 4 : columns;
  turn_all(x, {kTokens, whole, stride}, out, kTokens);
  for (int64_t col = whole; col < columns; col += 4) {
    alignas(64) float padded[kTokens * 4];
    for (int64_t t = 0; t < kTokens; ++t) {
      for (int64_t c = 0; c < 4; ++c) {
        const bool there = t < extent.tokens && col + c < extent.cols;
        padded[t * 4 + c] = there ? x[t * stride + col + c] : 0.0f;
      }
    }
    turn_all(padded, {kTokens, 4, 4}, out + col * kTokens, kTokens);
  }
}

/// sums += runs, or =: vectors of float and, twice as long, of double.
template <class V, bool first>
inline void add_floats(const float* runs, int64_t vectors, double* sums) {
  constexpr int64_t kTokens = V::kBytes / 4;
  for (int64_t i = 0; i < vectors * kTokens; i += kTokens) {
    const auto floats = V::load_ps(runs + i);
    auto low = V::low_pd(floats);
    auto high = V::high_pd(floats);
    if constexpr (!first) {
      low = V::add_pd(V::load_pd(sums + i), low);
      high = V::add_pd(V::load_pd(sums + i + kTokens / 2), high);
    }
    V::store_pd(sums + i, low);
    V::store_pd(sums + i + kTokens / 2, high);
  }
}

/// Sixteen rows of sums, rounded, as rows of tokens.
template <class V>
inline void turn_doubles(const double* sums, float* out) {
  constexpr int64_t kTokens = V::kBytes / 4;
  alignas(64) float rows[kMatvecTileRows * kTokens];
  for (int64_t at = 0; at < kMatvecTileRows * kTokens; at += kTokens) {
    V::store_ps(rows + at,
                V::narrow_pd(V::load_pd(sums + at), V::load_pd(sums + at + kTokens / 2)));
  }
  turn_all(rows, {kMatvecTileRows, kTokens, kTokens}, out, kResultRows);
}

/// A token tile: its first token, and the number of tokens of the whole batch.
struct TokenTile {
  int64_t first;
  int64_t batch;
};

/// The results of a token tile from sums[row][token], some tiles of rows at a time. `waiting` has
/// room for a vector of tokens of each of kResultRows rows.
template <class V>
inline void write_doubles(const Output& out, Tiles all, TokenTile tokens, const double* sums,
                          float* waiting) {
  constexpr int64_t kTokens = V::kBytes / 4;
  for (int64_t t = 0; t < all.count; t += kResultTiles) {
    const int64_t left = all.count - t;
    const Tiles tiles{all.first + t, left < kResultTiles ? left : kResultTiles};
    for (int64_t i = 0; i < tiles.count; ++i) {
      turn_doubles<V>(sums + (t + i) * kMatvecTileRows * kTokens, waiting + i * kMatvecTileRows);
    }
    for (int64_t k = 0; k < kTokens && tokens.first + k < tokens.batch; ++k) {
      write_scaled(out, tiles.first * kMatvecTileRows, rows_of(out, tiles), tokens.first + k,
                   waiting + k * kResultRows);
    }
  }
}

}  // namespace
}  // namespace rsr::kernels
