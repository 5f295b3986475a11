// A cell of the index: running sums of its columns, then an addition per boundary of its groups.
#pragma once

#include <cstdint>

#include "kernels/gemm_gray/blocks_code.h"
#include "kernels/gemm_gray/gemm_gray.h"
#include "kernels/repeat.h"

namespace rsr::kernels {
namespace {

/// What a cell is in the index.
struct GrayCell {
  const uint16_t* places;
  const uint16_t* places_end;
  const uint16_t* ends;
};

/// The sum of a pair of columns. Two places are read as one dword: with the pair's loads of inputs,
/// the load of the places and the store of the running sum, memory is what bounds run_sums (0.67
/// cycles per int16 column measured with 64-byte vectors; reading places one by one takes 0.76,
/// eight bytes at once and pext 0.65). Held, so that GCC does not chain both additions to the sum
/// before.
template <class V>
inline RSR_INLINE typename V::Vector sum_pair(const uint16_t* places, const uint8_t* x) {
  uint32_t two;
  __builtin_memcpy(&two, places, sizeof two);
  auto pair = V::add(V::load(x + (two & 0xFFFF)), V::load(x + (two >> 16)));
  asm("" : "+v"(pair));
  return pair;
}

/// The running sum after each pair goes to `sums`, behind a zero; returns the last. Additions of
/// floats take four cycles, so two pairs make one step of the chain: an addition more, and 1.25 to
/// 1.35 times as fast with 64-byte vectors (1.05 with 32); for int16, 0.95.
template <class V>
inline RSR_INLINE typename V::Vector run_sums(const GrayCell& cell, const uint8_t* x,
                                              uint8_t* sums) {
  auto sum = V::zero();
  V::store(sums, sum);
  for (const uint16_t* at = cell.places; at < cell.places_end; at += 8) {
    repeat<4 / V::kPairsOfStep>([&](auto i) RSR_INLINE {
      constexpr int kPair = i * V::kPairsOfStep;
      auto step = sum_pair<V>(at + 2 * kPair, x);
      if constexpr (V::kPairsOfStep == 2) {
        const auto first = step;
        step = V::add(first, sum_pair<V>(at + 2 * kPair + 2, x));
        asm("" : "+v"(step));
        V::store(sums + (kPair + 1) * V::kBytes, V::add(sum, first));
      }
      sum = V::add(sum, step);
      V::store(sums + (kPair + V::kPairsOfStep) * V::kBytes, sum);
    });
    sums += 4 * V::kBytes;
  }
  return sum;
}

/// y[row] += product of the cell, a vector for each of its rows. `sums` is memory for the running
/// sums: one for each pair and one more.
template <class V, class Code>
__attribute__((noinline)) void add_cell(const GrayCell& cell, const uint8_t* x, uint8_t* sums,
                                        uint8_t* y) {
  const auto total = run_sums<V>(cell, x, sums);
  typename V::Vector rows[Code::kRows];
  repeat<Code::kRows>([&](auto r) RSR_INLINE { rows[r] = V::load(y + r * V::kBytes); });
  repeat<Code::kPatterns - 1>([&](auto i) RSR_INLINE {
    constexpr int kRank = i;
    // Binary rank 0 is the pattern of zeros, whose group is empty: nothing was added before it.
    if constexpr (Code::kDigits == 3 || kRank > 0) {
      constexpr int kRow = Code::changed_row(kRank + 1);
      const auto before = V::load(sums + cell.ends[kRank]);
      rows[kRow] = Code::rises(kRank + 1) ? V::sub(rows[kRow], before) : V::add(rows[kRow], before);
    }
  });
  repeat<Code::kRows>([&](auto r) RSR_INLINE {
    constexpr int kDigit = Code::digit(Code::kPatterns - 1, r);
    if constexpr (kDigit > 0) rows[r] = V::add(rows[r], total);
    if constexpr (kDigit < 0) rows[r] = V::sub(rows[r], total);
    V::store(y + r * V::kBytes, rows[r]);
  });
}

/// Runs a cell's code, which asks for a part of another cell's meanwhile: that of token tile `v`,
/// whose turns are four.
inline void run_cell(const GrayGroups& gray, int64_t cell, int64_t next, int64_t v,
                     const uint8_t* x, uint8_t* y) {
  const uint8_t* begin = gray.code + gray.cell_code[cell];
  void (*function)(const void* inputs, void* sums, const void* ahead);
  __builtin_memcpy(&function, &begin, sizeof function);
  const uint64_t quarter = (gray.cell_code[next + 1] - gray.cell_code[next]) / 4;
  const uint8_t* ahead = gray.code + gray.cell_code[next] + static_cast<uint64_t>(v) * quarter;
  function(x, y, ahead);
}

}  // namespace
}  // namespace rsr::kernels
