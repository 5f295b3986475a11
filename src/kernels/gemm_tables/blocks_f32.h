// The loops of gemm_tables for float inputs, as blocks.h has them for int8: unit by unit along the
// columns, then token tile by token tile. Sums of up to kFloatRunLines lines are float, those of
// the runs double, in the order of matvec_*_f32.
#pragma once

#include <cstdint>

#include "kernels/gemm_tables/blocks_codes_f32.h"
#include "kernels/gemm_tables/blocks_floats.h"
#include "kernels/gemm_tables/blocks_frame.h"
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
    turn_columns<V>(p_.x + token * p_.x_stride + col, p_.x_stride,
                    {p_.batch - token, p_.cols - col}, kColumns, columns_);
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

  /// sums += runs, or = for the first run.
  template <bool first>
  void end_run(int64_t v) const {
    add_floats<V, first>(runs(v), tiles_.count * kMatvecTileRows, sums(v));
  }

  void write(int64_t v) const {
    auto* waiting = reinterpret_cast<float*>(tables_);
    static_assert(kTokens * kResultRows * 4 <= kTables);
    write_doubles<V>(p_.out, tiles_, {token_ + v * kTokens, p_.batch}, sums(v), waiting);
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
