// What a warp does with the slices of groups.h: gathers x for the lanes' groups, and lets the
// tensor cores bring the groups' sums to the rows.
//
// The sums of a slice's 32 groups are a column of a matrix product, and their patterns its rows:
//
//   [k rows, 32 groups] digits  x  [32 groups, 8] bytes of sums = low and high byte of four tokens
//
// One matrix instruction for plus (and one for minus) serves all k rows, adds up over the lanes,
// and over all slices of a block of rows; nothing is reduced by shuffles.
#pragma once

#include "cuda/groups/groups.h"
#include "cuda/simt.h"

namespace rsr::cuda::RSR_SIMT {
namespace {

constexpr uint32_t kOnes = 0x01010101U;

/// Sums of a lane's columns. A word of x in shared memory is, for one token, its int8 as an int32;
/// for four tokens their bytes, 128 added to each, which add up in the halves of two words: even
/// tokens in one and odd ones in another. Differences of sums are right though the sums may have
/// run over.
template <int kTokens>
struct Sums {
  uint32_t even = 0;
  uint32_t odd = 0;
};

RSR_DEVICE Sums<1> operator+(const Sums<1>& sums, uint32_t word) {
  return {sums.even + word, 0};
}
RSR_DEVICE Sums<4> operator+(const Sums<4>& sums, uint32_t word) {
  return {sums.even + (word & 0x00FF00FFU), sums.odd + simt::byte_permute(word, 0, 0x4341)};
}
template <int kTokens>
RSR_DEVICE Sums<kTokens> operator-(const Sums<kTokens>& a, const Sums<kTokens>& b) {
  return {a.even - b.even, a.odd - b.odd};
}

/// all[i], without an array in memory.
template <int kTokens>
RSR_DEVICE Sums<kTokens> choose(const Sums<kTokens> (&all)[kChunkSteps], uint32_t i) {
  Sums<kTokens> two[kChunkSteps / 2];
  RSR_UNROLL
  for (int j = 0; j < kChunkSteps / 2; ++j) two[j] = (i & 1) != 0 ? all[2 * j + 1] : all[2 * j];
  const Sums<kTokens> low = (i & 2) != 0 ? two[1] : two[0];
  const Sums<kTokens> high = (i & 2) != 0 ? two[3] : two[2];
  return (i & 4) != 0 ? high : low;
}

/// One token's sum over the steps of a slice. Places that are empty had a zero, 128, too.
RSR_DEVICE int32_t sum_of(const Sums<1>& sums, int /*token*/, int32_t /*steps*/) {
  return static_cast<int32_t>(sums.even);
}
RSR_DEVICE int32_t sum_of(const Sums<4>& sums, int token, int32_t steps) {
  const uint32_t both = token % 2 == 0 ? sums.even : sums.odd;
  return static_cast<int32_t>(token < 2 ? both & 0xFFFFU : both >> 16) - 128 * steps;
}

/// What a kernel is compiled for: vectors at a time, and how patterns are written.
template <int tokens, bool ternary, int halves>
struct KindOf {
  static constexpr int kTokens = tokens;
  static constexpr bool kTernary = ternary;
  static constexpr int kHalves = halves;  // 1: k is at most 8
};

/// Digits of the rows lane / 4 and lane / 4 + 8 in the groups of a slice.
template <int kHalves>
struct Digits {
  uint32_t plus[kHalves] = {};
  uint32_t minus[kHalves] = {};
};

/// `at` is the slice's word of row lane / 4.
template <class Kind>
RSR_DEVICE Digits<Kind::kHalves> load_digits(const uint32_t* at, int k) {
  Digits<Kind::kHalves> digits;
  RSR_UNROLL
  for (int half = 0; half < Kind::kHalves; ++half) {
    if (simt::lane() / 4 + 8 * half >= k) continue;
    digits.plus[half] = at[8 * half];
    if constexpr (Kind::kTernary) digits.minus[half] = at[8 * half + k];
  }
  return digits;
}

/// Fragment a of the matrix instruction.
template <int kHalves>
RSR_DEVICE void spread_digits(const uint32_t (&digits)[kHalves], uint32_t (&a)[4]) {
  const int t = simt::lane() % 4;
  RSR_UNROLL
  for (int i = 0; i < 4; ++i) {
    a[i] = i % 2 < kHalves ? digits[i % kHalves] >> (t + i / 2 * 4) & kOnes : 0;
  }
}

/// What lanes tell each other: 16 bits of each lane and token; two in turn, so that one barrier for
/// each slice is enough.
template <int kTokens>
struct alignas(16) Exchange {
  uint16_t values[2][kTokens][kGroupLanes];
};

/// Fragment b: column 2 token is the low byte of the token's sums, column 2 token + 1 the high one,
/// both signed (sum = 256 high + low). With one token, columns from 2 on are not looked at.
template <int kTokens>
RSR_DEVICE void spread_sums(const Sums<kTokens>& sums, int32_t steps,
                            uint16_t (&values)[kTokens][kGroupLanes], uint32_t (&b)[2]) {
  RSR_UNROLL
  for (int token = 0; token < kTokens; ++token) {
    const int32_t rounded = sum_of(sums, token, steps) + 128;  // high is its second byte now
    values[token][simt::lane()] = static_cast<uint16_t>(rounded ^ 0x80);
  }
  simt::warp_sync();
  const int col = simt::lane() / 4;
  const int group = simt::lane() % 4 * 4;
  const uint16_t* own = values[kTokens == 1 ? 0 : col / 2];
  const uint32_t bytes = col % 2 == 0 ? 0x6420 : 0x7531;
  RSR_UNROLL
  for (int half = 0; half < 2; ++half) {
    const auto four = *reinterpret_cast<const simt::Words2*>(own + group + 16 * half);
    b[half] = simt::byte_permute(four.w[0], four.w[1], bytes);
  }
}

/// A warp's part of a cell: some slices, whose sums it brings to the rows. Two chunks, 32 bytes of
/// a lane, are on their way. Sums run on over the steps of a chunk, without a question for each of
/// them whether a slice ends there; where one does, its sum is a difference.
///
/// Instructions (sm_90, k up to 8): 7 for a step, of which the place takes one, look-up and sum one each;
/// the end of a slice 53 (ternary 68). With four tokens 10, and 75 to 90.
template <class Kind>
class Strand {
  static constexpr int kTokens = Kind::kTokens;

 public:
  /// x is the tile's, in shared memory.
  RSR_DEVICE Strand(const Groups& p, const uint32_t* x, Exchange<kTokens>& exchange)
      : p_(p), x_(reinterpret_cast<const char*>(x)), exchange_(exchange) {}

  /// The slices [first, last), at least one.
  RSR_DEVICE void run(uint32_t first, uint32_t last) {
    RSR_UNROLL
    for (int i = 0; i < 4; ++i) plus_[i] = minus_[i] = 0;
    slices_left_ = static_cast<int>(last - first);
    ends_ = p_.starts + first + 1;
    begin_ = ends_[-1];
    end_ = ends_[0];
    next_end_ = slices_left_ > 1 ? ends_[1] : 0;
    next_digits_ = p_.digits + static_cast<int64_t>(first) * slice_words() + simt::lane() / 4;
    digits_ = load_digits<Kind>(next_digits_, p_.k);
    const uint32_t last_chunk = (p_.starts[last] - 1) / kChunkSteps;
    uint32_t chunk = begin_ / kChunkSteps;
    Sums<kTokens> sums;
    simt::Words4 ahead[2] = {load(chunk), load(chunk < last_chunk ? chunk + 1 : chunk)};
    for (; chunk <= last_chunk; ++chunk) {
      const simt::Words4 now = ahead[0];
      ahead[0] = ahead[1];
      ahead[1] = load(chunk + 2 < last_chunk ? chunk + 2 : last_chunk);
      sums = add_chunk(now, chunk * kChunkSteps, sums);
    }
  }

  /// Adds what run() has found to sums[token * stride + row], in shared memory.
  RSR_DEVICE void add_to(int32_t* sums, int stride) const {
    const int token = simt::lane() % 4;
    if (token >= kTokens) return;
    RSR_UNROLL
    for (int half = 0; half < Kind::kHalves; ++half) {
      const int row = simt::lane() / 4 + 8 * half;
      uint32_t sum = whole(plus_[2 * half], plus_[2 * half + 1]);
      if constexpr (Kind::kTernary) sum -= whole(minus_[2 * half], minus_[2 * half + 1]);
      if (row < p_.k) simt::atomic_add(sums + token * stride + row, static_cast<int32_t>(sum));
    }
  }

 private:
  RSR_DEVICE static uint32_t whole(int32_t low, int32_t high) {
    return static_cast<uint32_t>(low) + 256 * static_cast<uint32_t>(high);
  }

  RSR_DEVICE int slice_words() const { return Kind::kTernary ? 2 * p_.k : p_.k; }

  RSR_DEVICE simt::Words4 load(uint32_t chunk) const {
    const int64_t lane = static_cast<int64_t>(chunk) * kGroupLanes + simt::lane();
    return simt::load_once(reinterpret_cast<const simt::Words4*>(p_.entries) + lane);
  }

  /// Looks up a chunk and ends its slices; `sums` are those of the present slice before and after
  /// it. A strand's first chunk may begin with, and its last may end with steps of other strands.
  RSR_DEVICE Sums<kTokens> add_chunk(const simt::Words4& places, uint32_t first_step,
                                     const Sums<kTokens>& sums) {
    uint32_t words[kChunkSteps];
    RSR_UNROLL
    for (int s = 0; s < kChunkSteps; ++s) {
      const uint32_t two = places.w[s / 2];
      const uint32_t place = s % 2 == 0 ? two & 0xFFFFU : two >> 16;
      words[s] = *reinterpret_cast<const uint32_t*>(x_ + place);
    }
    if (first_step < begin_) {
      RSR_UNROLL
      for (uint32_t s = 0; s < kChunkSteps; ++s) {
        if (first_step + s < begin_) words[s] = 0;
      }
    }
    Sums<kTokens> up_to[kChunkSteps] = {sums + words[0]};
    RSR_UNROLL
    for (int s = 1; s < kChunkSteps; ++s) up_to[s] = up_to[s - 1] + words[s];
    Sums<kTokens> before;
    while (slices_left_ > 0 && end_ <= first_step + kChunkSteps) {
      const Sums<kTokens> sums_at_end = choose(up_to, end_ - first_step - 1);
      end_slice(sums_at_end - before);
      before = sums_at_end;
    }
    return up_to[kChunkSteps - 1] - before;
  }

  RSR_DEVICE void end_slice(const Sums<kTokens>& sums) {
    uint32_t a[4];
    uint32_t b[2];
    spread_sums(sums, static_cast<int32_t>(end_ - begin_), exchange_.values[turn_], b);
    turn_ ^= 1;
    spread_digits(digits_.plus, a);
    simt::mma_u8_s8(plus_, a, b);
    if constexpr (Kind::kTernary) {
      spread_digits(digits_.minus, a);
      simt::mma_u8_s8(minus_, a, b);
    }
    begin_ = end_;
    end_ = next_end_;
    ++ends_;
    next_digits_ += slice_words();
    if (--slices_left_ > 0) digits_ = load_digits<Kind>(next_digits_, p_.k);
    if (slices_left_ > 1) next_end_ = ends_[1];
  }

  const Groups& p_;
  const char* x_;
  Exchange<kTokens>& exchange_;
  int turn_ = 0;
  // The present slice: first step, the step behind it, the same for the next slice.
  uint32_t begin_ = 0;
  uint32_t end_ = 0;
  uint32_t next_end_ = 0;
  int slices_left_ = 0;  // with the present one
  const uint32_t* ends_ = nullptr;
  const uint32_t* next_digits_ = nullptr;
  Digits<Kind::kHalves> digits_;
  int32_t plus_[4] = {};
  int32_t minus_[4] = {};
};

}  // namespace
}  // namespace rsr::cuda::RSR_SIMT
