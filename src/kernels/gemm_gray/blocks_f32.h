// gemm_gray for float inputs. Sums of eight tiles of columns are float, those of such runs double.
#pragma once

#include <cstdint>

#include "kernels/gemm_gray/blocks_range.h"
#include "kernels/gemm_gray/gemm_gray.h"
#include "kernels/gemm_tables/blocks_floats.h"

namespace rsr::kernels {
namespace {

constexpr int64_t kGrayVectorsF32 = 4;  // token tiles at once
// Tiles of columns whose sums are float: making them double after each two takes 5% of a product.
constexpr int64_t kGrayRunTiles = 8;

/// V with floats as vectors.
template <class V>
struct Floats {
  using Vector = typename V::Floats;
  static constexpr int kBytes = V::kBytes;
  static constexpr int kPairsOfStep = 2;
  static RSR_INLINE Vector zero() { return V::zero_ps(); }
  static RSR_INLINE Vector load(const void* p) { return V::load_ps(p); }
  static RSR_INLINE void store(void* p, Vector v) { V::store_ps(p, v); }
  static RSR_INLINE Vector add(Vector a, Vector b) { return V::add_ps(a, b); }
  static RSR_INLINE Vector sub(Vector a, Vector b) { return V::sub_ps(a, b); }
};

/// Up to kGrayVectorsF32 token tiles.
template <class V, class Code>
class GrayTokensF32 {
 public:
  static constexpr int64_t kTokens = V::kBytes / 4;

  GrayTokensF32(const GemmGrayF32& p, int64_t token)
      : p_(p), gray_(*p.gray), range_(gray_, static_cast<uint8_t*>(p.scratch)), token_(token) {
    vectors_ = smaller((p.batch - token + kTokens - 1) / kTokens, kGrayVectorsF32);
    waiting_ = static_cast<float*>(p.scratch) + kRunning;
    runs_ = waiting_ + kTokens * kResultRows;
    sums_ = reinterpret_cast<double*>(runs_ + kSums);
    inputs_ = runs_ + 3 * kSums;
    static_assert((kRunning + kTokens * kResultRows + 3 * kSums) * 4 <= kGrayFixedScratch);
    for (int64_t tile = 0; tile < gray_.tiles(); ++tile) {
      for (int64_t v = 0; v < vectors_; ++v) load_tile(tile, v);
    }
    if (p.signs) add_up();
  }

  /// The rows of up to kGrayTiles tiles.
  void multiply(Tiles tiles) {
    range_.choose(tiles);
    for (int64_t v = 0; v < vectors_; ++v) clear(v);
    for (int64_t tile = 0; tile < gray_.tiles(); tile += kGrayRunTiles) {
      const int64_t end = smaller(tile + kGrayRunTiles, gray_.tiles());
      for (int64_t t = tile; t < end; ++t) {
        for (int64_t v = 0; v < vectors_; ++v) range_.add(t, v, columns(t, v), runs(v));
      }
      for (int64_t v = 0; v < vectors_; ++v) {
        (tile == 0 ? add_floats<V, true> : add_floats<V, false>)(runs(v), range_.rows(), sums(v));
        if (end < gray_.tiles()) clear(v);
      }
    }
    for (int64_t v = 0; v < vectors_; ++v) {
      if (p_.signs) make_signs(v);
      write_doubles<V>(p_.out, tiles, {token_ + v * kTokens, p_.batch},
                       sums(v) + range_.row_of(tiles) * kTokens, waiting_);
    }
  }

 private:
  static constexpr int64_t kRunning = ((kGrayTileCols + Code::kPatterns) / 2 + 5) * kTokens;
  static constexpr int64_t kSums = kGrayVectorsF32 * kGrayRows * kTokens;

  float* columns(int64_t tile, int64_t v) const {
    return inputs_ + (tile * vectors_ + v) * (gray_.tile_cols + kGrayExtraVectors) * kTokens;
  }
  float* runs(int64_t v) const { return runs_ + v * kGrayRows * kTokens; }
  double* sums(int64_t v) const { return sums_ + v * kGrayRows * kTokens; }

  /// A tile of columns, and the vector of zeros behind it.
  void load_tile(int64_t tile, int64_t v) const {
    const int64_t token = token_ + v * kTokens;
    const int64_t col = tile * gray_.tile_cols;
    float* out = columns(tile, v);
    turn_columns<V>(p_.x + token * p_.x_stride + col, p_.x_stride,
                    {p_.batch - token, gray_.cols - col}, gray_.tile_cols, out);
    V::store_ps(out + gray_.tile_cols * kTokens, V::zero_ps());
  }

  void clear(int64_t v) const {
    for (int64_t r = 0; r < range_.rows(); ++r) V::store_ps(runs(v) + r * kTokens, V::zero_ps());
  }

  /// The sums of all columns of each token.
  void add_up() {
    for (int64_t v = 0; v < vectors_; ++v) {
      auto low = V::low_pd(V::zero_ps());
      auto high = low;
      for (int64_t tile = 0; tile < gray_.tiles(); ++tile) {
        for (int64_t c = 0; c < gray_.tile_cols; ++c) {
          const auto x = V::load_ps(columns(tile, v) + c * kTokens);
          low = V::add_pd(low, V::low_pd(x));
          high = V::add_pd(high, V::high_pd(x));
        }
      }
      V::store_pd(totals_[v], low);
      V::store_pd(totals_[v] + kTokens / 2, high);
    }
  }

  /// From bits to -1 and +1: twice the sum less that of all columns.
  void make_signs(int64_t v) const {
    double* sum = sums(v);
    for (int64_t i = 0; i < range_.rows() * kTokens; i += kTokens / 2) {
      const auto bits = V::load_pd(sum + i);
      const auto total = V::load_pd(totals_[v] + i % kTokens);
      V::store_pd(sum + i, V::sub_pd(V::add_pd(bits, bits), total));
    }
  }

  const GemmGrayF32& p_;
  const GrayGroups& gray_;
  GrayRange<Floats<V>, Code> range_;
  int64_t token_;
  int64_t vectors_;
  float* waiting_;  // results
  float* runs_;     // [token tile][row][tokens]
  double* sums_;    // the same
  float* inputs_;   // [tile of columns][token tile][column, and kGrayExtraVectors][tokens]
  alignas(64) double totals_[kGrayVectorsF32][kTokens];
};

template <class V, class Code>
void multiply_gray_f32(const GemmGrayF32& p, int64_t tile_begin, int64_t tile_end) {
  using TokensOf = GrayTokensF32<V, Code>;
  for (int64_t token = 0; token < p.batch; token += kGrayVectorsF32 * TokensOf::kTokens) {
    TokensOf tokens(p, token);
    for_each_piece(tile_begin, tile_end, [&](Tiles tiles) { tokens.multiply(tiles); });
  }
}

template <class V>
void multiply_gray_f32(const GemmGrayF32& p, int64_t tile_begin, int64_t tile_end) {
  with_code(*p.gray,
            [&](auto code) { multiply_gray_f32<V, decltype(code)>(p, tile_begin, tile_end); });
}

}  // namespace
}  // namespace rsr::kernels
