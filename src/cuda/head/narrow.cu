// Where a cut ends: the key that a number of tokens, or a share of all weight, reaches from above.
// It is found digit by digit: what lies in each of 4,096 buckets of the keys that begin as the one
// sought? All blocks fill the buckets, the last one of them chooses.
//
// A block adds to its own buckets first, in shared memory, in halves of 20 bits: 32-bit additions
// there are instructions, 64-bit ones loops, and where all tokens are alike they meet in one
// bucket. Its sums are those of 1,024 rows, below 2^31.
#include "cuda/head/tokens.cuh"
#include "cuda/last_block.cuh"
#include "cuda/launch.h"

namespace rsr::cuda::RSR_SIMT {
namespace {

constexpr int kValues = kHeadDigitValues;
constexpr int kDigitBits = 12;
constexpr int kKeyBits = kDigitBits * kHeadDigits;
constexpr int kHalfBits = 20;
constexpr uint32_t kHalf = (1U << kHalfBits) - 1;
constexpr int kPerThread = kValues / kBlockThreads;
static_assert(kDigitBits + kHeadIdBits <= kKeyBits && kValues == 1 << kDigitBits);
static_assert(base::kFullWeightBits + 1 + kHeadIdBits <= kKeyBits);
static_assert(base::kFullWeightBits < 2 * kHalfBits && kHalfBits <= 31 - 10);

struct Shared {
  uint32_t low[kValues];
  uint32_t high[kValues];
  OfWarps of_warps;
  bool is_last;
};

/// This thread's share of the buckets, the highest first.
RSR_DEVICE int bucket_of(int i) {
  return kValues - 1 - (simt::thread() * kPerThread + i);
}

RSR_DEVICE void fill_buckets(Shared& s, const HeadNarrow& p, const Token& token, int shift) {
  RSR_UNROLL
  for (int i = 0; i < kPerThread; ++i) s.low[bucket_of(i)] = s.high[bucket_of(i)] = 0;
  simt::sync();
  if (token.exists()) {
    const HeadCut& cut = token.cut();
    const uint64_t key = p.by_weight ? token.weight_key() : token.score_key();
    const uint64_t least = p.by_weight ? cut.least_weight_key : cut.least_score_key;
    const uint64_t value = p.by_weight ? token.weight() : 1;
    const int above = shift + kDigitBits;
    if (key >> above == least >> above && value != 0) {
      const auto bucket = static_cast<uint32_t>(key >> shift) & (kValues - 1);
      simt::atomic_add(&s.low[bucket], static_cast<uint32_t>(value) & kHalf);
      const auto high = static_cast<uint32_t>(value >> kHalfBits);
      if (high != 0) simt::atomic_add(&s.high[bucket], high);
    }
  }
  simt::sync();
}

/// To the sums of all blocks.
RSR_DEVICE void add_buckets(const Shared& s, uint64_t* buckets) {
  RSR_UNROLL
  for (int i = 0; i < kPerThread; ++i) {
    const int bucket = bucket_of(i);
    const uint64_t sum = (uint64_t{s.high[bucket]} << kHalfBits) + s.low[bucket];
    if (sum != 0) simt::atomic_add(&buckets[bucket], sum);
  }
}

/// How much is to be reached before the first digit.
RSR_DEVICE uint64_t wanted(const HeadNarrow& p, const HeadQuery& query, const HeadCut& cut) {
  if (p.by_weight) return base::part_or_more_of(query.top_p, cut.total);
  return static_cast<uint64_t>(query.top_k);
}

/// The bucket where the sum from above reaches what is wanted is the digit. Where none does, all
/// tokens are kept: digits stay 0.
RSR_DEVICE void choose_digit(Shared& s, const HeadNarrow& p, const Token& token, int shift,
                             uint64_t* buckets) {
  uint64_t sums[kPerThread];
  uint64_t mine = 0;
  RSR_UNROLL
  for (int i = 0; i < kPerThread; ++i) {
    sums[i] = simt::load_fresh(&buckets[bucket_of(i)]);
    buckets[bucket_of(i)] = 0;
    mine += sums[i];
  }
  HeadCut& cut = token.cut();
  const uint64_t left = p.digit == 0 ? wanted(p, token.query(), cut) : cut.left;
  uint64_t before = block_sums(s.of_warps, mine).before;
  RSR_UNROLL
  for (int i = 0; i < kPerThread; ++i) {
    if (before < left && left - before <= sums[i]) {
      uint64_t& least = p.by_weight ? cut.least_weight_key : cut.least_score_key;
      least |= static_cast<uint64_t>(bucket_of(i)) << shift;
      cut.left = left - before;
    }
    before += sums[i];
  }
}

RSR_KERNEL_BLOCKS(kBlockThreads, 1) narrow_cut(HeadNarrow p) {
  auto& s = simt::shared<Shared>();
  simt::wait_for_previous();
  const Token token(p.of);
  const int shift = kKeyBits - kDigitBits * (p.digit + 1);
  uint64_t* buckets = p.buckets + Token::state() * kValues;
  fill_buckets(s, p, token, shift);
  add_buckets(s, buckets);
  if (!is_last_block(&token.cut().arrived, simt::blocks_x(), s.is_last)) return;
  choose_digit(s, p, token, shift, buckets);
}

}  // namespace

Status head_narrow(int device, void* stream, const HeadNarrow& p) {
  return launch(device, stream, token_launch(p.of, sizeof(Shared)), narrow_cut, p);
}

}  // namespace rsr::cuda::RSR_SIMT
