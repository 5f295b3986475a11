// The choice among the candidates of a scan: the steps of Sampler::draw_candidate in the threads of
// a block. Candidates are in no order; what an order would say is the number, or the weight, of
// those that come before, which each thread adds up for its own.
#include "cuda/head/block_sums.cuh"
#include "cuda/head/keys.cuh"
#include "cuda/launch.h"

namespace rsr::cuda::RSR_SIMT {
namespace {

constexpr int kMost = kHeadMostCandidates;

/// By place.
struct Shared {
  uint64_t scores[kMost];   // keys of all candidates
  uint64_t weights[kMost];  // keys of those that top-k leaves
  uint64_t kept[kMost];     // of these, those that the other cuts leave; else 0
  OfWarps of_warps;
  int32_t left;
  int32_t not_finite;
};

/// Calls visit(i) for this thread's share of the places.
template <class Visit>
RSR_DEVICE void each(int count, const Visit& visit) {
  for (int i = simt::thread(); i < count; i += kBlockThreads) visit(i);
}

/// One state's part of the arrays.
struct Candidates {
  const int32_t* ids;
  const float* logits;
  int count;
};

/// Keys of scores after the changes; false where a logit is not finite.
RSR_DEVICE bool read_scores(Shared& s, const HeadChoose& p, const HeadQuery& query,
                            const Candidates& from) {
  if (simt::thread() == 0) s.left = s.not_finite = 0;
  simt::sync();
  each(from.count, [&](int i) {
    const float logit = from.logits[i];
    const int32_t id = from.ids[i];
    if (!is_finite(logit)) s.not_finite = 1;
    s.scores[i] = key_of_score(score_of_row(query, p.changes, id, logit), id);
  });
  simt::sync();
  return s.not_finite == 0;
}

RSR_DEVICE uint64_t best_of(Shared& s, int count) {
  uint64_t best = 0;
  each(count, [&](int i) { best = s.scores[i] > best ? s.scores[i] : best; });
  return block_max(s.of_warps, best);
}

/// How many of what top-k leaves weigh something.
RSR_DEVICE int keep_top_k(Shared& s, const HeadQuery& query, int count, uint64_t best) {
  const bool cut = query.top_k > 0 && query.top_k < count;
  each(count, [&](int i) {
    const uint64_t key = s.scores[i];
    int better = 0;
    for (int j = 0; cut && j < count; ++j) better += s.scores[j] > key ? 1 : 0;
    if (cut && better >= query.top_k) return;
    const uint64_t weight = weight_of(query, score_of(key), score_of(best));
    if (weight != 0) s.weights[simt::atomic_add(&s.left, 1)] = key_of(weight, id_of(key));
  });
  simt::sync();
  return s.left;
}

RSR_DEVICE uint64_t total_of(Shared& s, const uint64_t (&keys)[kMost], int count) {
  uint64_t sum = 0;
  each(count, [&](int i) { sum += value_of(keys[i]); });
  return block_sums(s.of_warps, sum).total;
}

RSR_DEVICE void keep_top_p_and_min_p(Shared& s, const HeadQuery& query, int count) {
  uint64_t wanted = ~uint64_t{0};
  if (query.top_p != 0) {
    wanted = base::part_or_more_of(query.top_p, total_of(s, s.weights, count));
  }
  each(count, [&](int i) {
    const uint64_t key = s.weights[i];
    uint64_t likelier = 0;
    for (int j = 0; query.top_p != 0 && j < count; ++j) {
      likelier += s.weights[j] > key ? value_of(s.weights[j]) : 0;
    }
    s.kept[i] = likelier < wanted && value_of(key) >= query.least_weight ? key : 0;
  });
  simt::sync();
}

/// The candidate on whose weight the draw falls, the weights laid out by id.
RSR_DEVICE void draw(Shared& s, const HeadQuery& query, int count, int32_t* id) {
  const uint64_t target = base::part_of(query.number, total_of(s, s.kept, count));
  each(count, [&](int i) {
    const int32_t mine = id_of(s.kept[i]);
    uint64_t before = 0;
    for (int j = 0; j < count; ++j) before += id_of(s.kept[j]) < mine ? value_of(s.kept[j]) : 0;
    if (before <= target && target - before < value_of(s.kept[i])) *id = mine;
  });
}

RSR_KERNEL_BLOCKS(kBlockThreads, 1) choose_one(HeadChoose p) {
  auto& s = simt::shared<Shared>();
  simt::wait_for_previous();
  const int state = simt::block_x();
  const Candidates from = {p.ids + state * kMost, p.logits + state * kMost, p.counts[state]};
  const HeadQuery& query = p.queries[state];
  HeadResult& result = p.results[state];
  if (from.count == 0) return;
  if (!read_scores(s, p, query, from)) {
    if (simt::thread() == 0) result.status = HeadStatus::not_finite;
    return;
  }
  const uint64_t best = best_of(s, from.count);
  if (query.temperature == 0.0f) {
    if (simt::thread() == 0) result.id = id_of(best);
    return;
  }
  const int left = keep_top_k(s, query, from.count, best);
  keep_top_p_and_min_p(s, query, left);
  draw(s, query, left, &result.id);
}

}  // namespace

Status head_choose(int device, void* stream, const HeadChoose& p) {
  return launch(device, stream, {p.states, 1, kBlockThreads, sizeof(Shared)}, choose_one, p);
}

}  // namespace rsr::cuda::RSR_SIMT
