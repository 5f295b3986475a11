// The loops of gemm_tables for float inputs, as blocks.h has them for int8: unit by unit along the
// columns, then token tile by token tile. Sums of up to kFloatRunLines lines are float, those of
// the runs double, in the order of matvec_*_f32.
#pragma once

#include <cstdint>

#include "kernels/gemm_tables/blocks_codes_f32.h"
#include "kernels/gemm_tables/blocks_frame.h"
#include "kernels/gemm_tables/blocks_turn.h"
#include "kernels/gemm_tables/gemm_tables.h"

namespace rsr::kernels {
namespace {

constexpr int64_t kBlockVectorsF32 = 2;  // their sums are 12 bytes a row and token

template <class V, class Code>
class BlockF32 {
 public:
  BlockF32(const GemmTablesF32& p, Tiles tiles, int64_t token)
      : p_(p), tiles_(tiles), token_(token) {
    const int64_t left = (p.batch - token + kTokens - 1) / kTokens;
    vectors_ = left < kBlockVectorsF32 ? left : kBlockVectorsF32;
    tables_ = static_cast<uint8_t*>(p.scratch);
    columns_ = reinterpret_cast<float*>(tables_ + kTables);
    codes_ = reinterpret_cast<uint32_t*>(columns_ + kColumns * kTokens);
    runs_ = reinterpret_cast<float*>(codes_ + kBlockTiles * kTileCodes);
    sums_ = reinterpret_cast<double*>(runs_ + kSums);
    static_assert(kTables + (kColumns * kTokens + kBlockTiles * kTileCodes + 3 * kSums) * 4 <=
                  kGemmTablesScratch);
  }

  void multiply() {
    for (int64_t line = 0; line < p_.w.tile_lines; line += Code::kUnitLines) {
      read_unit<Code::kUnitLines>(p_.w, tiles_, line, [&](const uint8_t* const* lines, int64_t t) {
        Code::template codes<V>(lines, codes_ + t * kTileCodes);
      });
      const int64_t next = line + Code::kUnitLines;
      const bool ends_run = next % kFloatRunLines == 0 || next >= p_.w.tile_lines;
      for (int64_t v = 0; v < vectors_; ++v) {
        load_columns(v, line * Code::kLineCols);
        Code::template build<V>(columns_, p_.signs, tables_);
        (line % kFloatRunLines == 0 ? add_unit<true>(v) : add_unit<false>(v));
        if (ends_run) (line < kFloatRunLines ? end_run<true>(v) : end_run<false>(v));
      }
    }
    for (int64_t v = 0; v < vectors_; ++v) write(v);
  }

 private:
  using Floats = typename V::Floats;
  static constexpr int64_t kTokens = V::kBytes / 4;
  static constexpr int64_t kColumns = (Code::kUnitLines * Code::kLineCols + 3) / 4 * 4;
  static constexpr int64_t kTables = Code::template kTableBytes<V>;
  static constexpr int64_t kTileCodes = Code::kPairs * kMatvecTileRows;
  static constexpr int64_t kSums = kBlockVectorsF32 * kBlockRows * kTokens;
  static_assert(kFloatRunLines % Code::kUnitLines == 0);

  /// The unit's columns as token vectors; what lies beyond columns or batch is zero.
  void load_columns(int64_t v, int64_t col) const {
    const int64_t token = token_ + v * kTokens;
    const float* x = p_.x + token * p_.x_stride + col;
    const int64_t tokens = p_.batch - token < kTokens ? p_.batch - token : kTokens;
    const int64_t cols = p_.cols - col < kColumns ? p_.cols - col : kColumns;
    if (tokens == kTokens && cols == kColumns) {
      return turn_all(x, {kTokens, kColumns, p_.x_stride}, columns_, kTokens);
    }
    alignas(64) float padded[kTokens * kColumns];
    for (int64_t t = 0; t < kTokens; ++t) {
      for (int64_t c = 0; c < kColumns; ++c) {
        padded[t * kColumns + c] = t < tokens && c < cols ? x[t * p_.x_stride + c] : 0.0f;
      }
    }
    turn_all(padded, {kTokens, kColumns, kColumns}, columns_, kTokens);
  }

  float* runs(int64_t v) const { return runs_ + v * kBlockRows * kTokens; }
  double* sums(int64_t v) const { return sums_ + v * kBlockRows * kTokens; }

  /// runs += what the rows look up, or = at the beginning of a run.
  template <bool first>
  __attribute__((noinline)) void add_unit(int64_t v) const {
    const uint8_t* tables = tables_;
    const uint32_t* codes = codes_;
    float* run = runs(v);
    for (int64_t t = 0; t < tiles_.count; ++t, codes += kTileCodes) {
      for (int64_t r = 0; r < kMatvecTileRows; r += 2) {
        repeat<2>([&](auto i) RSR_INLINE {
          const uint32_t* c = codes + r + i;
          const Floats sum = Code::template add<V>(
              first ? V::zero_ps() : V::load_ps(run), [&](auto g, int64_t table) RSR_INLINE {
                const uint64_t two = c[g / 2 * kMatvecTileRows];
                return V::load_ps(tables + table + (g % 2 == 0 ? two & 0xFFFF : two >> 16));
              });
          V::store_ps(run, sum);
          run += kTokens;
        });
      }
    }
  }

  /// sums += runs, in double, or = for the first run.
  template <bool first>
  void end_run(int64_t v) const {
    const float* run = runs(v);
    double* sum = sums(v);
    for (int64_t i = 0; i < tiles_.count * kMatvecTileRows * kTokens; i += kTokens) {
      const Floats floats = V::load_ps(run + i);
      auto low = V::low_pd(floats);
      auto high = V::high_pd(floats);
      if constexpr (!first) {
        low = V::add_pd(V::load_pd(sum + i), low);
        high = V::add_pd(V::load_pd(sum + i + kTokens / 2), high);
      }
      V::store_pd(sum + i, low);
      V::store_pd(sum + i + kTokens / 2, high);
    }
  }

  /// The results of a token tile, some tiles of rows at a time.
  void write(int64_t v) const {
    auto* turned = reinterpret_cast<float*>(tables_);
    static_assert(kTokens * kResultRows * 4 <= kTables);
    const int64_t first = token_ + v * kTokens;
    for (int64_t t = 0; t < tiles_.count; t += kResultTiles) {
      const int64_t left = tiles_.count - t;
      const Tiles tiles{tiles_.first + t, left < kResultTiles ? left : kResultTiles};
      for (int64_t i = 0; i < tiles.count; ++i) {
        turn_tile(sums(v) + (t + i) * kMatvecTileRows * kTokens, turned + i * kMatvecTileRows);
      }
      for (int64_t k = 0; k < kTokens && first + k < p_.batch; ++k) {
        write_scaled(p_.out, tiles.first * kMatvecTileRows, rows_of(p_.out, tiles), first + k,
                     turned + k * kResultRows);
      }
    }
  }

  /// The sums of a tile's rows, rounded, as those of tokens.
  static void turn_tile(const double* sum, float* out) {
    alignas(64) float rows[kMatvecTileRows * kTokens];
    for (int64_t at = 0; at < kMatvecTileRows * kTokens; at += kTokens) {
      V::store_ps(rows + at,
                  V::narrow_pd(V::load_pd(sum + at), V::load_pd(sum + at + kTokens / 2)));
    }
    turn_all(rows, {kMatvecTileRows, kTokens, kTokens}, out, kResultRows);
  }

  const GemmTablesF32& p_;
  Tiles tiles_;
  int64_t token_;
  int64_t vectors_;
  uint8_t* tables_;
  float* columns_;   // [column][tokens]
  uint32_t* codes_;  // [tile][pair][16]
  float* runs_;      // [token tile][row][tokens]
  double* sums_;     // the same
};

template <class V, class Code>
void multiply_range_f32(const GemmTablesF32& p, int64_t tile_begin, int64_t tile_end) {
  for_each_block(
      {tile_begin, tile_end - tile_begin}, p.batch, {kBlockTiles, kBlockVectorsF32 * V::kBytes / 4},
      [&](Tiles tiles, int64_t token) { BlockF32<V, Code>(p, tiles, token).multiply(); });
}

}  // namespace
}  // namespace rsr::kernels
