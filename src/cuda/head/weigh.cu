// From logits to weights: in between, the best of all scores is to be known.
#include "base/check.h"
#include "cuda/head/tokens.cuh"
#include "cuda/launch.h"

namespace rsr::cuda::RSR_SIMT {
namespace {

RSR_KERNEL_BLOCKS(kBlockThreads, 1) score_tokens(HeadScores p) {
  auto& s = simt::shared<OfWarps>();
  simt::wait_for_previous();
  const Token token(p.of);
  uint64_t key = 0;
  if (token.exists()) {
    const float logit = p.logits[token.at()];
    token.score() = score_of_row(token.query(), p.changes, token.id(), logit);
    key = token.score_key();
    const uint32_t bits = simt::to_bits(logit);
    if (!is_finite(logit) && bits != (kSign | kInfinityBits)) token.cut().not_finite = 1;
  }
  key = block_max(s, key);
  if (simt::thread() == 0) simt::atomic_max(&token.cut().best, key);
}

RSR_KERNEL_BLOCKS(kBlockThreads, 1) weigh_tokens(HeadWeigh p) {
  auto& s = simt::shared<OfWarps>();
  simt::wait_for_previous();
  const Token token(p.of);
  const HeadCut& cut = token.cut();
  uint64_t weight = 0;
  if (token.exists() && token.score_key() >= cut.least_score_key) {
    weight = weight_of(token.query(), token.score(), score_of(cut.best));
  }
  if (token.exists()) token.weight() = weight;
  const uint64_t total = block_sums(s, weight).total;
  if (simt::thread() == 0) simt::atomic_add(&token.cut().total, total);
}

}  // namespace

Status head_scores(int device, void* stream, const HeadScores& p) {
  RSR_CHECK(p.of.rows <= kHeadMostRows);
  return launch(device, stream, token_launch(p.of, sizeof(OfWarps)), score_tokens, p);
}
Status head_weigh(int device, void* stream, const HeadWeigh& p) {
  return launch(device, stream, token_launch(p.of, sizeof(OfWarps)), weigh_tokens, p);
}

}  // namespace rsr::cuda::RSR_SIMT
