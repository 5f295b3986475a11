// The loops of gemm_tables, written once for vectors of 32 and of 64 bytes (`V`, in the ISA files)
// and for both kinds of Code (blocks_codes.h).
//
// A block is up to 2,560 rows and four token tiles. Unit by unit along the columns: the codes of
// all its rows, then for each token tile and round eight tables, which all rows add from.
#pragma once

#include <cstdint>

#include "kernels/gemm_tables/blocks_codes.h"
#include "kernels/gemm_tables/blocks_frame.h"
#include "kernels/gemm_tables/blocks_inputs.h"
#include "kernels/gemm_tables/blocks_sums.h"
#include "kernels/gemm_tables/gemm_tables.h"

namespace rsr::kernels {
namespace {

/// What lies where in the scratch memory.
template <class V, class Code>
struct Scratch {
  static constexpr int64_t kColumns = Code::kUnitLines * Code::kLineSteps * 4;
  static constexpr int64_t kSums = kBlockVectors * kBlockRows * V::kBytes / 2;

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
    static_assert(Results<V, Code::kDigits>::kMemory <= kRoundGroups * Code::kEntries * V::kBytes);
  }

  uint8_t* tables;              // of a round
  typename V::Vector* columns;  // token vectors of a unit
  uint32_t* codes;              // [round][tile][pair][16]
  int16_t* sums16;              // [token tile][row][tokens]
  int32_t* sums32;              // the same
};

template <class V, class Code>
class Block {
 public:
  Block(const MatvecI8& p, Tiles tiles, int64_t token)
      : p_(p),
        room_(p.scratch),
        tiles_(tiles),
        sums_(p, token, {room_.sums16, room_.sums32, kBlockRows, tiles.count * kMatvecTileRows}) {}

  void multiply() {
    for (int64_t line = 0; line < p_.w.tile_lines; line += Code::kUnitLines) {
      read_unit<Code::kUnitLines>(p_.w, tiles_, line, [&](const uint8_t* const* lines, int64_t t) {
        Code::template codes<V>(lines, room_.codes + t * kTileCodes, kBlockTiles * kTileCodes);
      });
      for (int64_t v = 0; v < sums_.vectors(); ++v) add_unit(v, line);
    }
    sums_.write(tiles_, 0, room_.tables);
  }

 private:
  using Vector = typename V::Vector;
  using Room = Scratch<V, Code>;

  void add_unit(int64_t v, int64_t line) {
    const int64_t left = p_.w.tile_lines - line;
    const int64_t lines = left < Code::kUnitLines ? left : Code::kUnitLines;
    load_columns<V>(sums_.inputs(v, line * Code::kLineSteps * 4), lines * Code::kLineSteps,
                    sums_.width(v), room_.columns);
    for (int64_t c = lines * Code::kLineSteps * 4; c < Room::kColumns; ++c) {
      room_.columns[c] = V::zero();
    }
    for (int round = 0; round < Code::kRounds; ++round) {
      sums_.expect(v, build_tables<V, Code>(room_.columns, round, room_.tables));
      const uint32_t* codes = room_.codes + round * kBlockTiles * kTileCodes;
      int16_t* sums = sums_.of(v, 0);
      (sums_.fresh(v) ? add_round<true>(codes, sums) : add_round<false>(codes, sums));
      sums_.added(v);
    }
  }

  /// sums += the entries of eight tables, or = where they are fresh. What surrounds the additions
  /// decides: an address with an index costs an instruction more, each code one to take it out of
  /// its pair, and the sums come from L2.
  template <bool fresh>
  __attribute__((noinline)) void add_round(const uint32_t* codes, int16_t* sums) const {
    constexpr int64_t kTable = Code::kEntries * V::kBytes;
    const uint8_t* tables = room_.tables;
    for (int64_t t = 0; t < tiles_.count; ++t, codes += kTileCodes) {
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
          sums += V::kBytes / 2;
        });
      }
    }
  }

  const MatvecI8& p_;
  Room room_;
  Tiles tiles_;
  Sums<V, Code::kDigits> sums_;
};

template <class V, class Code>
void multiply_range(const MatvecI8& p, int64_t tile_begin, int64_t tile_end) {
  for_each_block({tile_begin, tile_end - tile_begin}, p.batch,
                 {kBlockTiles, kBlockVectors * V::kBytes / 2},
                 [&](Tiles tiles, int64_t token) { Block<V, Code>(p, tiles, token).multiply(); });
}

}  // namespace
}  // namespace rsr::kernels
