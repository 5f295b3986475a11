// How sums become results.
#pragma once

#include <cstdint>

#include "kernels/gemm_tables/blocks_frame.h"
#include "kernels/gemm_tables/blocks_turn.h"
#include "kernels/gemm_tables/gemm_tables.h"

namespace rsr::kernels {
namespace {

/// The results of up to kResultTiles tiles for a tile of tokens. `digits`: 2 or 3.
template <class V, int digits>
class Results {
 public:
  /// What waits, in bytes.
  static constexpr int64_t kMemory = V::kBytes / 2 * kResultRows * 4;

  Results(const MatvecI8& p, uint8_t* memory) : p_(p), sums_(reinterpret_cast<int32_t*>(memory)) {}

  /// Tile `i`, from its int16 sums and what was moved to int32 before; null where there is nothing.
  void add_tile(int64_t i, const int16_t* sums16, const int32_t* sums32) {
    alignas(64) int32_t rows[kMatvecTileRows * kTokens];
    for (int64_t at = 0; at < kMatvecTileRows * kTokens; at += kTokens) {
      const auto sum = sums16 != nullptr ? V::load(sums16 + at) : V::zero();
      auto low = V::widen_low(sum);
      auto high = V::widen_high(sum);
      if (sums32 != nullptr) {
        low = V::add32(low, V::load(sums32 + at));
        high = V::add32(high, V::load(sums32 + at + kTokens / 2));
      }
      V::store(rows + at, low);
      V::store(rows + at + kTokens / 2, high);
    }
    turn_all(rows, {kMatvecTileRows, kTokens, kTokens}, sums_ + i * kMatvecTileRows, kResultRows);
  }

  /// All of them: integers, or floats with their scales.
  void write(Tiles tiles, Tokens tokens) {
    const int64_t row = tiles.first * kMatvecTileRows;
    const int64_t rows = rows_of(p_.out, tiles);
    for (int64_t t = 0; t < tokens.count; ++t) {
      const int64_t token = tokens.first + t;
      int32_t* sums = sums_ + t * kResultRows;
      if (digits == 2) correct(p_.corrections[token], rows, sums);
      if (p_.out.sums == nullptr) {
        write_scaled(p_.out, row, rows, token, sums);
        continue;
      }
      int32_t* out = p_.out.sums + token * p_.out.stride + row;
      for (int64_t r = 0; r < rows; ++r) out[r] = sums[r];
    }
  }

 private:
  static constexpr int64_t kTokens = V::kBytes / 2;

  /// Ternary digits are the values themselves; bits become values here, as MatvecI8 says.
  void correct(int32_t correction, int64_t rows, int32_t* sums) const {
    for (int64_t r = 0; r < rows; ++r) {
      sums[r] = static_cast<int32_t>((static_cast<uint32_t>(sums[r]) << p_.shift) -
                                     static_cast<uint32_t>(correction));
    }
  }

  const MatvecI8& p_;
  int32_t* sums_;  // [token][kResultRows]
};

}  // namespace
}  // namespace rsr::kernels
