// The choice among the candidates: the steps of Sampler::draw_candidate in the threads of a block.
// Sums run in its order, one after the other; where it sorts, a place is the number of those that
// come before, which each thread counts for its own.
#include "base/exponential.h"
#include "cuda/head/scores.cuh"
#include "cuda/launch.h"

namespace rsr::cuda::RSR_SIMT {
namespace {

constexpr int kThreads = 1024;
constexpr int kMost = kHeadMostCandidates;
constexpr int kWarps = kThreads / simt::kWarp;

struct Best {
  double score;
  int32_t id;
};

/// By place; what is done with a list leaves another one.
struct Shared {
  double scores[kMost];  // of all candidates; then weights of those that are left, by id
  double weights[kMost];
  int32_t ids[kMost];
  int32_t kept_ids[kMost];
  Best best[kWarps];
  int32_t kept;
  int32_t not_finite;
};

/// Calls visit(i) for this thread's share of the places.
template <class Visit>
RSR_DEVICE void each(int count, const Visit& visit) {
  for (int i = simt::thread(); i < count; i += kThreads) visit(i);
}

/// The better score first, the lower id among equals; likewise the likelier by their weights.
RSR_DEVICE bool before(double a, int32_t id_a, double b, int32_t id_b) {
  return a != b ? a > b : id_a < id_b;
}

/// Scores after the changes; all finite, or the status says so.
RSR_DEVICE bool read_scores(Shared& s, const HeadChoose& p, int count) {
  if (simt::thread() == 0) s.kept = s.not_finite = 0;
  simt::sync();
  const HeadQuery& query = *p.query;
  each(count, [&](int i) {
    const float logit = p.logits[i];
    if (!is_finite(logit)) s.not_finite = 1;
    s.ids[i] = p.ids[i];
    s.scores[i] =
        query.changes != 0 ? changed(query, p.changes[s.ids[i]], double{logit}) : double{logit};
  });
  simt::sync();
  if (s.not_finite != 0 && simt::thread() == 0) p.result->status = HeadStatus::not_finite;
  return s.not_finite == 0;
}

RSR_DEVICE Best best_of_warp(Best best) {
  RSR_UNROLL
  for (int mask = simt::kWarp / 2; mask > 0; mask /= 2) {
    const Best other = {simt::shuffle_xor(best.score, mask), simt::shuffle_xor(best.id, mask)};
    if (before(other.score, other.id, best.score, best.id)) best = other;
  }
  return best;
}

/// The best candidate, for all threads. Threads without one pass the first.
RSR_DEVICE Best best_of(Shared& s, int count) {
  Best best = {s.scores[0], s.ids[0]};
  each(count, [&](int i) {
    if (before(s.scores[i], s.ids[i], best.score, best.id)) best = {s.scores[i], s.ids[i]};
  });
  best = best_of_warp(best);
  if (simt::lane() == 0) s.best[simt::warp()] = best;
  simt::sync();
  return best_of_warp(s.best[simt::lane() % kWarps]);
}

/// top-k, and the weights of what it leaves. In any order: ids in kept_ids, weights in weights.
RSR_DEVICE int keep_top_k(Shared& s, const HeadQuery& query, int count, double top) {
  const bool cut = query.top_k > 0 && query.top_k < count;
  each(count, [&](int i) {
    const double score = s.scores[i];
    const int32_t id = s.ids[i];
    int better = 0;
    for (int j = 0; cut && j < count; ++j) better += before(s.scores[j], s.ids[j], score, id);
    if (cut && better >= query.top_k) return;
    const double below = score - top;
    const double weight =
        below == 0.0 ? 1.0 : base::exp_of_negative(below / double{query.temperature});
    if (!(weight > 0.0)) return;
    const int place = simt::atomic_add(&s.kept, 1);
    s.kept_ids[place] = id;
    s.weights[place] = weight;
  });
  simt::sync();
  return s.kept;
}

/// Both in the order of ids: ids in ids, weights in scores.
RSR_DEVICE void order_by_id(Shared& s, int count) {
  each(count, [&](int i) {
    const int32_t id = s.kept_ids[i];
    int place = 0;
    for (int j = 0; j < count; ++j) place += s.kept_ids[j] < id;
    s.ids[place] = id;
    s.scores[place] = s.weights[i];
  });
  simt::sync();
}

RSR_DEVICE double sum_in_order(const double* values, int count) {
  double sum = 0.0;
  for (int i = 0; i < count; ++i) sum += values[i];
  return sum;
}

/// The weight of what top-p drops becomes 0, which changes no sum behind.
RSR_DEVICE void keep_top_p(Shared& s, double top_p, int count) {
  if (top_p == 1.0) return;
  each(count, [&](int i) {  // the likelier first
    const double weight = s.scores[i];
    int place = 0;
    for (int j = 0; j < count; ++j) place += before(s.scores[j], j, weight, i);
    s.weights[place] = weight;
    s.kept_ids[place] = i;
  });
  simt::sync();
  if (simt::thread() == 0) {
    const double wanted = sum_in_order(s.scores, count) * top_p;
    double sum = 0.0;
    int kept = 0;
    for (; kept < count && sum < wanted; ++kept) sum += s.weights[kept];
    s.kept = kept > 1 ? kept : 1;
  }
  simt::sync();
  each(count, [&](int i) {
    if (i >= s.kept) s.scores[s.kept_ids[i]] = 0.0;
  });
  simt::sync();
}

RSR_DEVICE int32_t draw(const Shared& s, double uniform, int count) {
  const double target = uniform * sum_in_order(s.scores, count);
  double sum = 0.0;
  int last = 0;  // for a target that rounding has carried past the end
  for (int i = 0; i < count; ++i) {
    sum += s.scores[i];
    if (sum > target) return s.ids[i];
    if (s.scores[i] > 0.0) last = i;
  }
  return s.ids[last];
}

RSR_KERNEL_BLOCKS(kThreads, 1) choose_one(HeadChoose p) {
  auto& s = simt::shared<Shared>();
  simt::wait_for_previous();
  const int count = *p.count;
  if (count == 0 || !read_scores(s, p, count)) return;
  const HeadQuery& query = *p.query;
  const Best best = best_of(s, count);
  if (query.temperature == 0.0f) {
    if (simt::thread() == 0) p.result->id = best.id;
    return;
  }
  const int kept = keep_top_k(s, query, count, best.score);
  order_by_id(s, kept);
  keep_top_p(s, double{query.top_p}, kept);
  const double least = query.min_p;
  each(kept, [&](int i) {
    if (s.scores[i] < least) s.scores[i] = 0.0;
  });
  simt::sync();
  if (simt::thread() == 0) p.result->id = draw(s, query.uniform, kept);
}

}  // namespace

Status head_choose(int device, void* stream, const HeadChoose& p) {
  return launch(device, stream, {1, 1, kThreads, sizeof(Shared)}, choose_one, p);
}

}  // namespace rsr::cuda::RSR_SIMT
