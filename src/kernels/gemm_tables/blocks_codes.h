// From packed lines to codes: which entries of eight tables at a time the rows of a tile add. A
// code is the offset of an entry in its table, in bytes; two are a dword, and the codes of a round
// (eight tables) are
//
//   codes[tile][pair of tables][16 rows]
//
// A unit is a few lines of a tile whose columns make whole groups. What belongs to a format:
//
//   static constexpr int kGroupCols, kDigits, kEntries;  // columns of a group; kDigits^kGroupCols
//   static constexpr int kUnitLines, kLineSteps, kRounds;
//   static constexpr int column(int group, int digit);   // its place among the unit's columns
//   template <class V> static void codes(const uint8_t* const* lines, uint32_t* out,
//                                        int64_t round_stride);   // [round][4 pairs][16]
#pragma once

#include <cstdint>

#include "kernels/gemm_tables/gemm_tables.h"
#include "kernels/repeat.h"

namespace rsr::kernels {
namespace {

constexpr int kRoundGroups = 8;
constexpr int kRoundPairs = kRoundGroups / 2;
constexpr int kTileCodes = kRoundPairs * kMatvecTileRows;  // dwords of a round and tile

/// The bits [from, from + count) of each dword at `to`, and nothing else.
template <class V, int from, int to, int count>
inline RSR_INLINE typename V::Vector field(typename V::Vector dwords) {
  constexpr uint32_t kMask = ((1u << count) - 1) << to;
  if constexpr (to >= from) {
    return V::both(V::template up32<to - from>(dwords), V::all32(kMask));
  } else {
    return V::both(V::template down32u<from - to>(dwords), V::all32(kMask));
  }
}

/// t2: the four columns of a byte are a group, and two lines eight groups.
struct Quads {
  static constexpr int kGroupCols = 4;
  static constexpr int kDigits = 3;
  static constexpr int kEntries = 81;
  static constexpr int kUnitLines = 2;
  static constexpr int kLineSteps = 4;
  static constexpr int kRounds = 1;
  static constexpr int column(int group, int digit) {
    return group / 4 * 16 + group % 4 + 4 * digit;
  }

  /// Four fields of two bits in base 4 become a number in base 3, nibble by nibble.
  template <class V>
  static void codes(const uint8_t* const* lines, uint32_t* out, int64_t /*round_stride*/) {
    alignas(16) static constexpr uint8_t kLow[16] = {0, 1, 2, 0, 3, 4, 5, 0, 6, 7, 8};
    alignas(16) static constexpr uint8_t kHigh[16] = {0, 9, 18, 0, 27, 36, 45, 0, 54, 63, 72};
    const auto low = V::everywhere(kLow);
    const auto high = V::everywhere(kHigh);
    const auto nibble = V::all8(15);
    for (int line = 0; line < kUnitLines; ++line) {
      for (int at = 0; at < kMatvecLineBytes; at += V::kBytes, out += V::kBytes / 4) {
        const auto bytes = V::load(lines[line] + at);
        const auto four =
            V::add16(V::shuffle8(low, V::both(bytes, nibble)),
                     V::shuffle8(high, V::both(V::template down32u<4>(bytes), nibble)));
        V::store(out,
                 V::either(field<V, 0, V::kShift, 8>(four), field<V, 8, 16 + V::kShift, 8>(four)));
        V::store(out + kMatvecTileRows, V::either(field<V, 16, V::kShift, 8>(four),
                                                  field<V, 24, 16 + V::kShift, 8>(four)));
      }
      out += kMatvecTileRows;
    }
  }
};

/// b1: of each dword, five groups of six bits; the two bits that are left over in each of three
/// lines are the sixteenth group. By pairs: bits 0 and 6, 12 and 18 of each line; 24 of the first
/// two; 24 of the third with what is left over.
struct Sixes {
  static constexpr int kGroupCols = 6;
  static constexpr int kDigits = 2;
  static constexpr int kEntries = 64;
  static constexpr int kUnitLines = 3;
  static constexpr int kLineSteps = 8;
  static constexpr int kRounds = 2;
  static constexpr int column(int group, int digit) {
    if (group == 15) return place(digit / 2, 30 + digit % 2);
    if (group >= 12) return place(group - 12, 24 + digit);
    return place(group / 4, 6 * (group % 4) + digit);
  }

  template <class V>
  static void codes(const uint8_t* const* lines, uint32_t* out, int64_t round_stride) {
    for (int at = 0; at < kMatvecLineBytes; at += V::kBytes, out += V::kBytes / 4) {
      typename V::Vector w[kUnitLines];
      repeat<kUnitLines>([&](auto i) RSR_INLINE { w[i] = V::load(lines[i] + at); });
      const auto put = [&](int pair, typename V::Vector two) RSR_INLINE {
        V::store(out + pair / kRoundPairs * round_stride + pair % kRoundPairs * kMatvecTileRows,
                 two);
      };
      constexpr int kTo = V::kShift;
      repeat<kUnitLines>([&](auto i) RSR_INLINE {
        put(2 * i, V::either(field<V, 0, kTo, 6>(w[i]), field<V, 6, 16 + kTo, 6>(w[i])));
        put(2 * i + 1, V::either(field<V, 12, kTo, 6>(w[i]), field<V, 18, 16 + kTo, 6>(w[i])));
      });
      put(6, V::either(field<V, 24, kTo, 6>(w[0]), field<V, 24, 16 + kTo, 6>(w[1])));
      const auto rest =
          V::either(V::either(field<V, 30, 16 + kTo, 2>(w[0]), field<V, 30, 18 + kTo, 2>(w[1])),
                    field<V, 30, 20 + kTo, 2>(w[2]));
      put(7, V::either(field<V, 24, kTo, 6>(w[2]), rest));
    }
  }

 private:
  /// Bit p of a dword is column 4 (p % 8) + p / 8 of its line (matrix/format.h).
  static constexpr int place(int line, int p) { return 32 * line + 4 * (p % 8) + p / 8; }
};

}  // namespace
}  // namespace rsr::kernels
