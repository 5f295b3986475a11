// From int8 inputs to tables: token vectors, one for each column, and the sums of some of them.
//
// A token vector has the int16 of a tile's tokens in the order in which `narrow` packs two vectors
// of dwords; `widen` takes it apart again, so nobody else needs to know it.
#pragma once

#include <cstdint>

#include "kernels/gemm_tables/blocks_codes.h"

namespace rsr::kernels {
namespace {

/// Four columns of a tile, [tokens][4] bytes, as four token vectors.
template <class V>
inline RSR_INLINE void spread(const int8_t* x, typename V::Vector* out) {
  const auto a = V::load_any(x);
  const auto b = V::load_any(x + V::kBytes);
  out[0] = V::narrow(V::template down32<24>(V::template up32<24>(a)),
                     V::template down32<24>(V::template up32<24>(b)));
  out[1] = V::narrow(V::template down32<24>(V::template up32<16>(a)),
                     V::template down32<24>(V::template up32<16>(b)));
  out[2] = V::narrow(V::template down32<24>(V::template up32<8>(a)),
                     V::template down32<24>(V::template up32<8>(b)));
  out[3] = V::narrow(V::template down32<24>(a), V::template down32<24>(b));
}

/// `steps` times four columns from x on, [step][width tokens][4]; tokens beyond `width` are zero.
template <class V>
void load_columns(const int8_t* x, int64_t steps, int64_t width, typename V::Vector* columns) {
  constexpr int64_t kTokens = V::kBytes / 2;
  for (int64_t step = 0; step < steps; ++step) {
    alignas(64) int8_t padded[4 * kTokens];
    const int8_t* four = x + step * 4 * width;
    if (width < kTokens) {
      for (int64_t i = 0; i < 4 * kTokens; ++i) padded[i] = i < 4 * width ? four[i] : int8_t{0};
      four = padded;
    }
    spread<V>(four, columns + 4 * step);
  }
}

/// A table: entry[code] = sum of digit_i x_i, where code has the digits of Code, lowest first. Each
/// column doubles or triples what there is.
template <class V, class Code>
inline RSR_INLINE void build_table(const typename V::Vector* columns, int group, uint8_t* table) {
  const auto entry = [&](int64_t i) RSR_INLINE { return table + i * V::kBytes; };
  auto lowest = V::zero();
  if constexpr (Code::kDigits == 3) {
    for (int i = 0; i < Code::kGroupCols; ++i) {
      lowest = V::sub16(lowest, columns[Code::column(group, i)]);
    }
  }
  V::store(entry(0), lowest);
  int64_t size = 1;
  for (int i = 0; i < Code::kGroupCols; ++i, size *= Code::kDigits) {
    const auto x = columns[Code::column(group, i)];
    for (int64_t j = 0; j < (Code::kDigits - 1) * size; ++j) {
      V::store(entry(size + j), V::add16(V::load(entry(j)), x));
    }
  }
}

/// How far sums may be from zero: the sums of the columns' positive and negative parts, where
/// digits are 0 and 1 (`digits` is 2); of |x|, where a digit may turn a column round (3).
template <class V, int digits>
struct Reach {
  typename V::Vector up = V::zero();
  typename V::Vector down = V::zero();

  RSR_INLINE void add(typename V::Vector x) {
    if constexpr (digits == 3) {
      up = V::add16(up, V::abs16(x));
    } else {
      up = V::add16(up, V::max16(x, V::zero()));
      down = V::sub16(down, V::min16(x, V::zero()));
    }
  }
  RSR_INLINE void add(const Reach& other) {
    up = V::add16(up, other.up);
    down = V::add16(down, other.down);
  }
  /// True when some token's is above 32,767. 16 bits without sign hold it, since what is added to
  /// at most 32,767 is no more than 255 columns' |x|.
  RSR_INLINE bool too_far() const { return V::any_negative16(V::either(up, down)); }
};

/// The tables of a round, and how far their columns reach.
template <class V, class Code>
Reach<V, Code::kDigits> build_tables(const typename V::Vector* columns, int round,
                                     uint8_t* tables) {
  Reach<V, Code::kDigits> reach;
  for (int g = 0; g < kRoundGroups; ++g) {
    const int group = round * kRoundGroups + g;
    build_table<V, Code>(columns, group, tables + g * Code::kEntries * V::kBytes);
    for (int i = 0; i < Code::kGroupCols; ++i) reach.add(columns[Code::column(group, i)]);
  }
  return reach;
}

}  // namespace
}  // namespace rsr::kernels
