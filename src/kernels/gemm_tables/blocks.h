// The loops of gemm_tables, written once for vectors of 32 and of 64 bytes (`V`, in the ISA files)
// and for both kinds of Code (blocks_codes.h).
//
// A block is up to 2,560 rows and four token tiles. Unit by unit along the columns: the codes of
// all its rows, then for each token tile and round eight tables, which all rows add from.
#pragma once

#include <cstdint>

#include "kernels/gemm_tables/blocks_codes.h"
#include "kernels/gemm_tables/blocks_inputs.h"
#include "kernels/gemm_tables/blocks_results.h"
#include "kernels/gemm_tables/gemm_tables.h"

namespace rsr::kernels {
namespace {

template <class V, class Code>
class Block {
 public:
  Block(const MatvecI8& p, int64_t tile, int64_t tiles, int64_t token)
      : p_(p), room_(p.scratch), tile_(tile), tiles_(tiles), token_(token) {
    const int64_t left = (p.batch - token + kTokens - 1) / kTokens;
    vectors_ = left < kBlockVectors ? left : kBlockVectors;
  }

  void multiply() {
    for (int64_t line = 0; line < p_.w.tile_lines; line += Code::kUnitLines) {
      const int64_t left = p_.w.tile_lines - line;
      const int64_t lines = left < Code::kUnitLines ? left : Code::kUnitLines;
      read_codes(line, lines);
      for (int64_t v = 0; v < vectors_; ++v) add_unit(v, line, lines);
    }
    for (int64_t v = 0; v < vectors_; ++v) {
      for (int64_t t = 0; t < tiles_; t += kResultTiles) {
        const int64_t count = tiles_ - t < kResultTiles ? tiles_ - t : kResultTiles;
        Results<V, Code> results(p_, room_.tables);
        for (int64_t i = 0; i < count; ++i) {
          const int64_t row = (t + i) * kMatvecTileRows;
          results.add_tile(i, sums16(v, row), states_[v].emptied ? sums32(v, row) : nullptr);
        }
        results.write(tile_ + t, count, {token_ + v * kTokens, width(v)});
      }
    }
  }

 private:
  using Vector = typename V::Vector;
  using Room = Scratch<V, Code>;
  static constexpr int64_t kTokens = V::kBytes / 2;

  int64_t width(int64_t v) const {
    const int64_t left = p_.batch - token_ - v * kTokens;
    return left < kTokens ? left : kTokens;
  }
  int16_t* sums16(int64_t v, int64_t row) const {
    return room_.sums16 + (v * kBlockTiles * kMatvecTileRows + row) * kTokens;
  }
  int32_t* sums32(int64_t v, int64_t row) const {
    return room_.sums32 + (v * kBlockTiles * kMatvecTileRows + row) * kTokens;
  }

  void read_codes(int64_t line, int64_t lines) const {
    alignas(64) static constexpr uint8_t kNothing[kMatvecLineBytes] = {};
    const uint8_t* first = p_.w.lines + tile_ * p_.w.tile_stride + line * kMatvecLineBytes;
    for (int64_t t = 0; t < tiles_; ++t, first += p_.w.tile_stride) {
      const uint8_t* of_unit[Code::kUnitLines];
      for (int64_t i = 0; i < Code::kUnitLines; ++i) {
        of_unit[i] = i < lines ? first + i * kMatvecLineBytes : kNothing;
        _mm_prefetch(first + (Code::kUnitLines + i) * kMatvecLineBytes, _MM_HINT_T1);
      }
      Code::template codes<V>(of_unit, room_.codes + t * kTileCodes, kBlockTiles * kTileCodes);
    }
  }

  void add_unit(int64_t v, int64_t line, int64_t lines) {
    const int8_t* x =
        p_.x + (token_ + v * kTokens) * p_.x_cols + line * Code::kLineSteps * 4 * width(v);
    load_columns<V, Code>(x, lines * Code::kLineSteps, width(v), room_.columns);
    State& state = states_[v];
    for (int round = 0; round < Code::kRounds; ++round) {
      const auto reach = build_tables<V, Code>(room_.columns, round, room_.tables);
      state.reach.add(reach);
      if (state.reach.too_far()) {
        empty(v);
        state.reach = reach;
      }
      const uint32_t* codes = room_.codes + round * kBlockTiles * kTileCodes;
      (state.fresh ? add_round<true>(codes, sums16(v, 0)) : add_round<false>(codes, sums16(v, 0)));
      state.fresh = false;
    }
  }

  /// sums += the entries of eight tables, or = where they are fresh. What surrounds the additions
  /// decides: an address with an index costs an instruction more, each code one to take it out of
  /// its pair, and the sums come from L2.
  template <bool fresh>
  __attribute__((noinline)) void add_round(const uint32_t* codes, int16_t* sums) const {
    constexpr int64_t kTable = Code::kEntries * V::kBytes;
    const uint8_t* tables = room_.tables;
    for (int64_t t = 0; t < tiles_; ++t, codes += kTileCodes) {
      for (int64_t r = 0; r < kMatvecTileRows; r += 4) {
        repeat<4>([&](auto i) RSR_INLINE {
          const uint32_t* c = codes + r + i;
          Vector sum = fresh ? V::zero() : V::load(sums);
          repeat<kRoundPairs>([&](auto pair) RSR_INLINE {
            const uint64_t two = c[pair * kMatvecTileRows];
            const Vector low = V::load(tables + 2 * pair * kTable + (two & 0xFFFF));
            const Vector high = V::load(tables + (2 * pair + 1) * kTable + (two >> 16));
            sum = V::add16(sum, V::add16(low, high));
          });
          V::store(sums, sum);
          sums += kTokens;
        });
      }
    }
  }

  /// Moves the int16 sums of a token tile over to int32.
  void empty(int64_t v) {
    State& state = states_[v];
    for (int64_t r = 0; r < tiles_ * kMatvecTileRows; ++r) {
      const Vector sums = V::load(sums16(v, r));
      Vector low = V::widen_low(sums);
      Vector high = V::widen_high(sums);
      int32_t* out = sums32(v, r);
      if (state.emptied) {
        low = V::add32(low, V::load(out));
        high = V::add32(high, V::load(out + kTokens / 2));
      }
      V::store(out, low);
      V::store(out + kTokens / 2, high);
    }
    state.emptied = true;
    state.fresh = true;
  }

  /// What is known of a token tile's sums.
  struct State {
    Reach<V, Code> reach = {};  // of the int16 sums
    bool fresh = true;          // they have no values yet
    bool emptied = false;       // the int32 sums have
  };

  const MatvecI8& p_;
  Room room_;
  int64_t tile_;
  int64_t tiles_;
  int64_t token_;
  int64_t vectors_;  // token tiles of the block
  State states_[kBlockVectors];
};

/// In blocks of about the same height: tables are made for each anew.
template <class V, class Code>
void multiply_range(const MatvecI8& p, int64_t tile_begin, int64_t tile_end) {
  const int64_t blocks = (tile_end - tile_begin + kBlockTiles - 1) / kBlockTiles;
  for (int64_t block = 0; block < blocks; ++block) {
    const int64_t tile = tile_begin + block * (tile_end - tile_begin) / blocks;
    const int64_t tiles = tile_begin + (block + 1) * (tile_end - tile_begin) / blocks - tile;
    for (int64_t token = 0; token < p.batch; token += kBlockVectors * V::kBytes / 2) {
      Block<V, Code>(p, tile, tiles, token).multiply();
    }
  }
}

}  // namespace
}  // namespace rsr::kernels
