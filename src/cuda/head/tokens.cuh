// A thread of the operations on all logits has one token of one state: blocks of kHeadBlockRows
// rows along x, states along y.
#pragma once

#include "cuda/head/block_sums.cuh"
#include "cuda/head/keys.cuh"

namespace rsr::cuda::RSR_SIMT {
namespace {

static_assert(kHeadBlockRows == kBlockThreads);

class Token {
 public:
  RSR_DEVICE explicit Token(const HeadTokens& p) : Token(p, simt::block_x()) {}
  /// The same place of another block.
  RSR_DEVICE Token(const HeadTokens& p, int block)
      : p_(p), id_(block * kHeadBlockRows + simt::thread()), at_(state() * p.rows + id_) {}

  RSR_DEVICE static int64_t state() { return simt::block_y(); }
  RSR_DEVICE const HeadQuery& query() const { return p_.queries[state()]; }
  RSR_DEVICE HeadCut& cut() const { return p_.cuts[state()]; }

  RSR_DEVICE int32_t id() const { return id_; }
  /// In the arrays of all states.
  RSR_DEVICE int64_t at() const { return at_; }
  RSR_DEVICE bool exists() const { return id_ < query().rows; }

  RSR_DEVICE float& score() const { return p_.scores[at_]; }
  RSR_DEVICE uint64_t& weight() const { return p_.weights[at_]; }
  RSR_DEVICE uint64_t score_key() const { return key_of_score(score(), id_); }
  RSR_DEVICE uint64_t weight_key() const { return key_of(weight(), id_); }

  /// The weight, if top-p and min-p keep it.
  RSR_DEVICE uint64_t kept_weight() const {
    if (!exists() || weight_key() < cut().least_weight_key) return 0;
    return weight() >= query().least_weight ? weight() : 0;
  }

 private:
  const HeadTokens& p_;
  int32_t id_;
  int64_t at_;
};

inline simt::Launch token_launch(const HeadTokens& p, size_t shared_bytes) {
  return {simt::ceil_div(p.rows, kHeadBlockRows), p.states, kBlockThreads, shared_bytes};
}

}  // namespace
}  // namespace rsr::cuda::RSR_SIMT
