// The token on whose weight the draw falls, the weights laid out by id: first the block of rows,
// then the row.
#include "cuda/head/tokens.cuh"
#include "cuda/last_block.cuh"
#include "cuda/launch.h"

namespace rsr::cuda::RSR_SIMT {
namespace {

static_assert(kHeadMostRows / kHeadBlockRows <= kBlockThreads, "a thread for each block");

struct Shared {
  OfWarps of_warps;
  uint64_t left;  // of the draw, within its block
  int32_t block;
  bool is_last;
};

RSR_DEVICE void draw(Shared& s, const HeadDraw& p, const uint64_t* sums, HeadResult& result) {
  const int blocks = simt::blocks_x();
  const uint64_t sum = simt::thread() < blocks ? simt::load_fresh(&sums[simt::thread()]) : 0;
  const BlockSums over_blocks = block_sums(s.of_warps, sum);
  const uint64_t target = base::part_of(p.of.queries[Token::state()].number, over_blocks.total);
  if (over_blocks.before <= target && target - over_blocks.before < sum) {
    s.block = simt::thread();
    s.left = target - over_blocks.before;
  }
  simt::sync();
  const Token token(p.of, s.block);
  const uint64_t weight = token.kept_weight();
  const uint64_t before = block_sums(s.of_warps, weight).before;
  if (before <= s.left && s.left - before < weight) result.id = token.id();
}

RSR_KERNEL_BLOCKS(kBlockThreads, 1) draw_token(HeadDraw p) {
  auto& s = simt::shared<Shared>();
  simt::wait_for_previous();
  const Token token(p.of);
  const HeadQuery& query = token.query();
  HeadCut& cut = token.cut();
  HeadResult& result = p.results[Token::state()];
  uint64_t* sums = p.sums + Token::state() * simt::blocks_x();
  const bool greedy = query.temperature == 0.0f;
  const uint64_t sum = greedy ? 0 : block_sums(s.of_warps, token.kept_weight()).total;
  if (simt::thread() == 0) sums[simt::block_x()] = sum;
  if (!is_last_block(&cut.arrived, simt::blocks_x(), s.is_last)) return;
  const bool finite = cut.not_finite == 0 && is_finite(score_of(cut.best));
  if (simt::thread() == 0) {
    result = {finite ? HeadStatus::chosen : HeadStatus::not_finite, id_of(cut.best), 0};
  }
  simt::sync();
  if (!greedy && finite) draw(s, p, sums, result);
  if (simt::thread() == 0) cut = {};  // all threads have read it: a barrier or more ago
}

}  // namespace

Status head_draw(int device, void* stream, const HeadDraw& p) {
  return launch(device, stream, token_launch(p.of, sizeof(Shared)), draw_token, p);
}

}  // namespace rsr::cuda::RSR_SIMT
