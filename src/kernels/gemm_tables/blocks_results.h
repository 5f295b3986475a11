// Scratch memory of gemm_tables, and how its sums become results.
#pragma once

#include <cstdint>

#include "kernels/gemm_tables/blocks_codes.h"
#include "kernels/gemm_tables/blocks_turn.h"
#include "kernels/gemm_tables/gemm_tables.h"

namespace rsr::kernels {
namespace {

constexpr int64_t kBlockTiles = 160;
constexpr int64_t kBlockVectors = 4;
constexpr int64_t kResultTiles = 16;  // whose results are written together

/// What lies where in the scratch memory.
template <class V, class Code>
struct Scratch {
  static constexpr int64_t kColumns = Code::kUnitLines * Code::kLineSteps * 4;
  static constexpr int64_t kSums = kBlockVectors * kBlockTiles * kMatvecTileRows * V::kBytes / 2;

  explicit Scratch(void* memory)
      : tables(static_cast<uint8_t*>(memory)),
        columns(reinterpret_cast<typename V::Vector*>(tables +
                                                      kRoundGroups * Code::kEntries * V::kBytes)),
        codes(reinterpret_cast<uint32_t*>(columns + kColumns)),
        sums16(reinterpret_cast<int16_t*>(codes + Code::kRounds * kBlockTiles * kTileCodes)),
        sums32(reinterpret_cast<int32_t*>(sums16 + kSums)) {
    static_assert(kRoundGroups * Code::kEntries * V::kBytes + kColumns * V::kBytes +
                      Code::kRounds * kBlockTiles * kTileCodes * 4 + kSums * 6 <=
                  kGemmTablesScratch);
  }

  uint8_t* tables;              // of a round
  typename V::Vector* columns;  // token vectors of a unit
  uint32_t* codes;              // [round][tile][pair][16]
  int16_t* sums16;              // [token tile][row][tokens]
  int32_t* sums32;              // the same
};

/// The tokens of a tile: the first, and how many.
struct Tokens {
  int64_t first;
  int64_t count;
};

/// The results of up to kResultTiles tiles for a tile of tokens: 1 KiB of each token is written at
/// once. A tile at a time, 64 bytes here and 64 bytes in another page, took a sixth of the product.
template <class V, class Code>
class Results {
 public:
  /// `memory` holds what waits: kTokens * kResultRows int32.
  Results(const MatvecI8& p, uint8_t* memory) : p_(p), sums_(reinterpret_cast<int32_t*>(memory)) {
    static_assert(kTokens * kResultRows * 4 <= kRoundGroups * Code::kEntries * V::kBytes);
  }

  /// Tile `i`, from its int16 sums and, if not null, what was moved to int32 before.
  void add_tile(int64_t i, const int16_t* sums16, const int32_t* sums32) {
    alignas(64) int32_t rows[kMatvecTileRows * kTokens];
    for (int64_t at = 0; at < kMatvecTileRows * kTokens; at += kTokens) {
      const auto sum = V::load(sums16 + at);
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

  /// All of them: those of rows from tile `tile` on.
  void write(int64_t tile, int64_t tiles, Tokens tokens) {
    const int64_t row = tile * kMatvecTileRows;
    const int64_t left = p_.out.rows - row;
    const int64_t rows = left < tiles * kMatvecTileRows ? left : tiles * kMatvecTileRows;
    for (int64_t t = 0; t < tokens.count; ++t) {
      int32_t* sums = sums_ + t * kResultRows;
      if constexpr (Code::kCorrected) {
        const auto correction = static_cast<uint32_t>(p_.corrections[tokens.first + t]);
        for (int64_t r = 0; r < rows; ++r) {
          sums[r] = static_cast<int32_t>((static_cast<uint32_t>(sums[r]) << p_.shift) - correction);
        }
      }
      write_token(row, rows, tokens.first + t, sums);
    }
  }

 private:
  static constexpr int64_t kTokens = V::kBytes / 2;
  static constexpr int64_t kResultRows = kResultTiles * kMatvecTileRows;

  /// Integers, or floats with their scales.
  void write_token(int64_t row, int64_t rows, int64_t token, const int32_t* sums) const {
    const Output& out = p_.out;
    const int64_t at = token * out.stride + row;
    if (out.sums != nullptr) {
      for (int64_t r = 0; r < rows; ++r) out.sums[at + r] = sums[r];
      return;
    }
    const float token_scale = out.token_scales != nullptr ? out.token_scales[token] : 1.0f;
    float* y = out.y + at;
    if (out.row_scales == nullptr) {
      for (int64_t r = 0; r < rows; ++r) {
        y[r] = static_cast<float>(sums[r]) * token_scale * out.scale;
      }
      return;
    }
    for (int64_t r = 0; r < rows; ++r) {
      y[r] = static_cast<float>(sums[r]) * token_scale * out.row_scales[row + r];
    }
  }

  const MatvecI8& p_;
  int32_t* sums_;  // [token][kResultRows]
};

}  // namespace
}  // namespace rsr::kernels
