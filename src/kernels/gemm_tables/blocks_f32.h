// The loops of gemm_tables for float inputs, as blocks.h has them for int8: unit by unit along the
// columns, then token tile by token tile. Sums of up to kFloatRunLines lines are float, those of
// the runs double, in the order of matvec_*_f32.
#pragma once

#include <cstdint>

#include "kernels/gemm_tables/blocks_codes_f32.h"
#include "kernels/gemm_tables/blocks_turn.h"
#include "kernels/gemm_tables/gemm_tables.h"

namespace rsr::kernels {
namespace {

constexpr int64_t kBlockTilesF32 = 160;
constexpr int64_t kBlockVectorsF32 = 2;  // their sums are 12 bytes a row and token
constexpr int64_t kResultTilesF32 = 16;

template <class V, class Code>
class BlockF32 {
 public:
  BlockF32(const GemmTablesF32& p, int64_t tile, int64_t tiles, int64_t token)
      : p_(p), tile_(tile), tiles_(tiles), token_(token) {
    const int64_t left = (p.batch - token + kTokens - 1) / kTokens;
    vectors_ = left < kBlockVectorsF32 ? left : kBlockVectorsF32;
    tables_ = static_cast<uint8_t*>(p.scratch);
    columns_ = reinterpret_cast<float*>(tables_ + kTables);
    codes_ = reinterpret_cast<uint32_t*>(columns_ + kColumns * kTokens);
    runs_ = reinterpret_cast<float*>(codes_ + kBlockTilesF32 * kTileCodes);
    sums_ = reinterpret_cast<double*>(runs_ + kSums);
    static_assert(kTables + (kColumns * kTokens + kBlockTilesF32 * kTileCodes + 3 * kSums) * 4 <=
                  kGemmTablesScratch);
  }

  void multiply() {
    bool first_run = true;
    for (int64_t line = 0; line < p_.w.tile_lines; line += Code::kUnitLines) {
      const bool first = line % kFloatRunLines == 0;
      const int64_t left = p_.w.tile_lines - line;
      const bool last = (line + Code::kUnitLines) % kFloatRunLines == 0 || left <= Code::kUnitLines;
      read_codes(line, left);
      for (int64_t v = 0; v < vectors_; ++v) {
        load_columns(v, line * Code::kLineCols);
        Code::template build<V>(columns_, p_.signs, tables_);
        (first ? add_unit<true>(v) : add_unit<false>(v));
        if (last) (first_run ? end_run<true>(v) : end_run<false>(v));
      }
      first_run = first_run && !last;
    }
    for (int64_t v = 0; v < vectors_; ++v) write(v);
  }

 private:
  using Floats = typename V::Floats;
  static constexpr int64_t kTokens = V::kBytes / 4;
  static constexpr int64_t kColumns = (Code::kUnitLines * Code::kLineCols + 3) / 4 * 4;
  static constexpr int64_t kTables = Code::template kTableBytes<V>;
  static constexpr int64_t kTileCodes = Code::kPairs * kMatvecTileRows;
  static constexpr int64_t kRows = kBlockTilesF32 * kMatvecTileRows;
  static constexpr int64_t kSums = kBlockVectorsF32 * kRows * kTokens;
  static_assert(kFloatRunLines % Code::kUnitLines == 0);

  void read_codes(int64_t line, int64_t left) const {
    alignas(64) static constexpr uint8_t kNothing[kMatvecLineBytes] = {};
    const uint8_t* first = p_.w.lines + tile_ * p_.w.tile_stride + line * kMatvecLineBytes;
    for (int64_t t = 0; t < tiles_; ++t, first += p_.w.tile_stride) {
      const uint8_t* of_unit[Code::kUnitLines];
      for (int64_t i = 0; i < Code::kUnitLines; ++i) {
        of_unit[i] = i < left ? first + i * kMatvecLineBytes : kNothing;
        _mm_prefetch(first + (Code::kUnitLines + i) * kMatvecLineBytes, _MM_HINT_T1);
      }
      Code::template codes<V>(of_unit, codes_ + t * kTileCodes);
    }
  }

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

  float* runs(int64_t v) const { return runs_ + v * kRows * kTokens; }
  double* sums(int64_t v) const { return sums_ + v * kRows * kTokens; }

  /// runs += what the rows look up, or = at the beginning of a run.
  template <bool first>
  __attribute__((noinline)) void add_unit(int64_t v) const {
    const uint8_t* tables = tables_;
    const uint32_t* codes = codes_;
    float* run = runs(v);
    for (int64_t t = 0; t < tiles_; ++t, codes += kTileCodes) {
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
    for (int64_t i = 0; i < tiles_ * kMatvecTileRows * kTokens; i += kTokens) {
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

  /// The results of a token tile, some tiles of rows at a time, as blocks_results.h explains.
  void write(int64_t v) const {
    constexpr int64_t kResultRows = kResultTilesF32 * kMatvecTileRows;
    auto* turned = reinterpret_cast<float*>(tables_);
    static_assert(kTokens * kResultRows * 4 <= kTables);
    for (int64_t t = 0; t < tiles_; t += kResultTilesF32) {
      const int64_t count = tiles_ - t < kResultTilesF32 ? tiles_ - t : kResultTilesF32;
      for (int64_t i = 0; i < count; ++i) {
        alignas(64) float rows[kMatvecTileRows * kTokens];
        const double* sum = sums(v) + (t + i) * kMatvecTileRows * kTokens;
        for (int64_t at = 0; at < kMatvecTileRows * kTokens; at += kTokens) {
          V::store_ps(rows + at,
                      V::narrow_pd(V::load_pd(sum + at), V::load_pd(sum + at + kTokens / 2)));
        }
        turn_all(rows, {kMatvecTileRows, kTokens, kTokens}, turned + i * kMatvecTileRows,
                 kResultRows);
      }
      const int64_t row = (tile_ + t) * kMatvecTileRows;
      const int64_t left = p_.out.rows - row;
      const int64_t most = count * kMatvecTileRows;
      for (int64_t k = 0; k < kTokens && token_ + v * kTokens + k < p_.batch; ++k) {
        write_token(row, left < most ? left : most, token_ + v * kTokens + k,
                    turned + k * kResultRows);
      }
    }
  }

  void write_token(int64_t row, int64_t rows, int64_t token, const float* values) const {
    const Output& out = p_.out;
    const float token_scale = out.token_scales != nullptr ? out.token_scales[token] : 1.0f;
    float* y = out.y + token * out.stride + row;
    if (out.row_scales == nullptr) {
      for (int64_t r = 0; r < rows; ++r) y[r] = values[r] * token_scale * out.scale;
      return;
    }
    for (int64_t r = 0; r < rows; ++r) y[r] = values[r] * token_scale * out.row_scales[row + r];
  }

  const GemmTablesF32& p_;
  int64_t tile_;
  int64_t tiles_;
  int64_t token_;
  int64_t vectors_;
  uint8_t* tables_;
  float* columns_;   // [column][tokens]
  uint32_t* codes_;  // [tile][pair][16]
  float* runs_;      // [token tile][row][tokens]
  double* sums_;     // the same
};

/// In blocks of about the same height, as multiply_range() in blocks.h.
template <class V, class Code>
void multiply_range_f32(const GemmTablesF32& p, int64_t tile_begin, int64_t tile_end) {
  const int64_t blocks = (tile_end - tile_begin + kBlockTilesF32 - 1) / kBlockTilesF32;
  for (int64_t block = 0; block < blocks; ++block) {
    const int64_t tile = tile_begin + block * (tile_end - tile_begin) / blocks;
    const int64_t tiles = tile_begin + (block + 1) * (tile_end - tile_begin) / blocks - tile;
    for (int64_t token = 0; token < p.batch; token += kBlockVectorsF32 * V::kBytes / 4) {
      BlockF32<V, Code>(p, tile, tiles, token).multiply();
    }
  }
}

}  // namespace
}  // namespace rsr::kernels
