// What float inputs look up: which tables a unit of lines has, how they are made, and in which
// order a row adds their entries. The order is that of matvec_*_f32 (kernels/matvec/matvec.h), so
// that a product has the same bits whatever its batch. A format says:
//
//   static constexpr int kUnitLines, kLineCols;   // lines of a unit, columns of a line
//   static constexpr int kPairs;                  // dwords of codes of a row
//   static constexpr int kTableBytes<V>;          // of all tables
//   template <class V> static void codes(const uint8_t* const* lines, uint32_t* out);
//   template <class V> static void build(const float* columns, bool signs, uint8_t* tables);
//   template <class V, class LookUp>
//   static Vector add(Vector run, const LookUp& look_up);   // look_up(Index<g>, table's offset)
#pragma once

#include <cstdint>

#include "kernels/gemm_tables/blocks_codes.h"

namespace rsr::kernels {
namespace {

/// entry[code] = ((s0 x0 + s1 x1) + ...) with s = digit - 1, the first column's digit lowest.
template <class V, int count>
inline RSR_INLINE void build_chain(const float* columns, uint8_t* table) {
  constexpr int64_t kTokens = V::kBytes / 4;
  const auto entry = [&](int64_t i) RSR_INLINE { return table + i * V::kBytes; };
  V::store_ps(entry(0), V::zero_ps());
  for (int64_t i = 0, size = 1; i < count; ++i, size *= 3) {
    const auto x = V::load_ps(columns + i * kTokens);
    for (int64_t j = 0; j < size; ++j) {
      const auto sum = V::load_ps(entry(j));
      V::store_ps(entry(j), V::sub_ps(sum, x));
      V::store_ps(entry(size + j), sum);
      V::store_ps(entry(2 * size + j), V::add_ps(sum, x));
    }
  }
}

/// t2: each step of four columns, a line's field, has a table of 81 sums; two lines, eight tables.
struct QuadsF32 {
  static constexpr int kUnitLines = 2;
  static constexpr int kLineCols = 16;
  static constexpr int kPairs = 4;
  template <class V>
  static constexpr int64_t kTable = int64_t{81} * V::kBytes;
  template <class V>
  static constexpr int64_t kTableBytes = 8 * kTable<V>;

  template <class V>
  static void codes(const uint8_t* const* lines, uint32_t* out) {
    const auto three = V::all8(3);
    const auto weights = V::all32(1 | 3 << 8 | 9 << 16 | 27 << 24);
    for (int line = 0; line < kUnitLines; ++line, out += kMatvecTileRows) {
      for (int at = 0; at < kMatvecLineBytes; at += V::kBytes, out += V::kBytes / 4) {
        const auto bytes = V::load(lines[line] + at);
        const auto code = [&](auto f) RSR_INLINE {
          return V::widen(V::pairs(V::both(V::template down16<2 * f>(bytes), three), weights));
        };
        V::store(out, V::either(V::template up32<V::kShift>(code(Index<0>{})),
                                V::template up32<16 + V::kShift>(code(Index<1>{}))));
        V::store(out + kMatvecTileRows,
                 V::either(V::template up32<V::kShift>(code(Index<2>{})),
                           V::template up32<16 + V::kShift>(code(Index<3>{}))));
      }
    }
  }

  template <class V>
  static void build(const float* columns, bool /*signs*/, uint8_t* tables) {
    for (int64_t g = 0; g < 8; ++g) {
      build_chain<V, 4>(columns + g * V::kBytes, tables + g * kTable<V>);
    }
  }

  template <class V, class LookUp>
  static RSR_INLINE auto add(typename V::Floats run, const LookUp& look_up) {
    repeat<kUnitLines>([&](auto line) RSR_INLINE {
      const auto at = [&](auto g) RSR_INLINE {
        return look_up(Index<4 * line + g>{}, (4 * line + g) * kTable<V>);
      };
      const auto low = V::add_ps(at(Index<0>{}), at(Index<1>{}));
      run = V::add_ps(run, V::add_ps(low, V::add_ps(at(Index<2>{}), at(Index<3>{}))));
    });
    return run;
  }
};

/// ((g0 + g1) + (g2 + g3)) + (g4 + g5), as t3 and b1 add the six tables of a line.
template <class V, class At>
inline RSR_INLINE auto add_six(const At& at) {
  const auto low = V::add_ps(V::add_ps(at(Index<0>{}), at(Index<1>{})),
                             V::add_ps(at(Index<2>{}), at(Index<3>{})));
  return V::add_ps(low, V::add_ps(at(Index<4>{}), at(Index<5>{})));
}

/// The codes of six tables, five bits each, as pairs.
template <class V>
inline RSR_INLINE void six_codes(const uint8_t* line, uint32_t* out) {
  for (int at = 0; at < kMatvecLineBytes; at += V::kBytes, out += V::kBytes / 4) {
    const auto dwords = V::load(line + at);
    repeat<3>([&](auto pair) RSR_INLINE {
      V::store(out + pair * kMatvecTileRows,
               V::either(field<V, 10 * pair, V::kShift, 5>(dwords),
                         field<V, 10 * pair + 5, 16 + V::kShift, 5>(dwords)));
    });
  }
}

/// t3: six tables of 27 sums of three columns for each of two lines.
struct ThreesF32 {
  static constexpr int kUnitLines = 2;
  static constexpr int kLineCols = 18;
  static constexpr int kPairs = 6;
  template <class V>
  static constexpr int64_t kTable = int64_t{27} * V::kBytes;
  template <class V>
  static constexpr int64_t kTableBytes = 12 * kTable<V>;

  template <class V>
  static void codes(const uint8_t* const* lines, uint32_t* out) {
    six_codes<V>(lines[0], out);
    six_codes<V>(lines[1], out + 3 * kMatvecTileRows);
  }

  template <class V>
  static void build(const float* columns, bool /*signs*/, uint8_t* tables) {
    for (int64_t g = 0; g < 12; ++g) {
      build_chain<V, 3>(columns + 3 * g * (V::kBytes / 4), tables + g * kTable<V>);
    }
  }

  template <class V, class LookUp>
  static RSR_INLINE auto add(typename V::Floats run, const LookUp& look_up) {
    repeat<kUnitLines>([&](auto line) RSR_INLINE {
      run = V::add_ps(run, add_six<V>([&](auto g) RSR_INLINE {
                        return look_up(Index<6 * line + g>{}, (6 * line + g) * kTable<V>);
                      }));
    });
    return run;
  }
};

/// b1: for a pair of lines, twelve tables of 32 sums of five bits, and one of 16 for the bits that
/// both leave over (kernels/tables/tables.h).
struct FivesF32 {
  static constexpr int kUnitLines = 2;
  static constexpr int kLineCols = 32;
  static constexpr int kPairs = 7;
  template <class V>
  static constexpr int64_t kTable = int64_t{32} * V::kBytes;
  template <class V>
  static constexpr int64_t kTableBytes = 12 * kTable<V> + 16 * V::kBytes;

  template <class V>
  static void codes(const uint8_t* const* lines, uint32_t* out) {
    six_codes<V>(lines[0], out);
    six_codes<V>(lines[1], out + 3 * kMatvecTileRows);
    out += 6 * kMatvecTileRows;
    for (int at = 0; at < kMatvecLineBytes; at += V::kBytes, out += V::kBytes / 4) {
      V::store(out, V::either(field<V, 30, V::kShift, 2>(V::load(lines[0] + at)),
                              field<V, 30, V::kShift + 2, 2>(V::load(lines[1] + at))));
    }
  }

  /// entry[code] = ((v0 + v1) + (v2 + v3)) + v4 for `count` 5, without v4 for 4.
  template <class V, int count, class Column>
  static void build_five(const Column& column, bool signs, uint8_t* table) {
    const auto value = [&](int i, int64_t code) RSR_INLINE {
      const auto x = column(i);
      if ((code >> i & 1) != 0) return x;
      return signs ? V::sub_ps(V::zero_ps(), x) : V::zero_ps();
    };
    for (int64_t code = 0; code < 1 << count; ++code) {
      auto sum = V::add_ps(V::add_ps(value(0, code), value(1, code)),
                           V::add_ps(value(2, code), value(3, code)));
      if constexpr (count == 5) sum = V::add_ps(sum, value(4, code));
      V::store_ps(table + code * V::kBytes, sum);
    }
  }

  template <class V>
  static void build(const float* columns, bool signs, uint8_t* tables) {
    constexpr int64_t kTokens = V::kBytes / 4;
    // Bit p of a dword is column 4 (p % 8) + p / 8 of its line.
    const auto bit = [&](int64_t line, int64_t p) RSR_INLINE {
      return V::load_ps(columns + (kLineCols * line + 4 * (p % 8) + p / 8) * kTokens);
    };
    for (int64_t g = 0; g < 12; ++g) {
      build_five<V, 5>([&](int i) RSR_INLINE { return bit(g / 6, 5 * (g % 6) + i); }, signs,
                       tables + g * kTable<V>);
    }
    build_five<V, 4>([&](int i) RSR_INLINE { return bit(i / 2, 30 + i % 2); }, signs,
                     tables + 12 * kTable<V>);
  }

  template <class V, class LookUp>
  static RSR_INLINE auto add(typename V::Floats run, const LookUp& look_up) {
    const auto line = [&](auto l) RSR_INLINE {
      return add_six<V>(
          [&](auto g) RSR_INLINE { return look_up(Index<6 * l + g>{}, (6 * l + g) * kTable<V>); });
    };
    const auto both = V::add_ps(line(Index<0>{}), line(Index<1>{}));
    return V::add_ps(run, V::add_ps(both, look_up(Index<12>{}, 12 * kTable<V>)));
  }
};

}  // namespace
}  // namespace rsr::kernels
