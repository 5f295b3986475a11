#include "engine/sampler.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "base/exponential.h"

namespace rsr::engine {
namespace {

Status check_logits(std::span<const float> logits) {
  bool any = false;
  for (size_t i = 0; i < logits.size(); ++i) {
    if (std::isnan(logits[i]) || logits[i] == HUGE_VALF) {
      return base::error(ErrorCode::corrupt_data, "the model gave the logit ", logits[i],
                         " for token ", i);
    }
    any = any || std::isfinite(logits[i]);
  }
  if (any) return {};
  return base::error(ErrorCode::corrupt_data, "the model gave no token a finite logit");
}

/// Index of the largest value, the lowest among equals.
template <class Values>
size_t best_of(const Values& values) {
  return static_cast<size_t>(std::max_element(values.begin(), values.end()) - values.begin());
}

// Most tokens of a top-k that are looked for by a scan; more are not few.
constexpr int64_t kMostBest = cuda::kHeadMostBest;

/// The better score first, the lower id among equals.
constexpr auto kBetter = [](const auto& a, const auto& b) {
  return a.score != b.score ? a.score > b.score : a.id < b.id;
};

/// The likelier first, the lower id among equals: scores may differ where weights do not.
constexpr auto kLikelier = [](const auto& a, const auto& b) {
  return a.weight != b.weight ? a.weight > b.weight : a.id < b.id;
};

constexpr auto kLowerId = [](const auto& a, const auto& b) { return a.id < b.id; };

}  // namespace

Sampler::Sampler(const Sampling& sampling, std::span<const int32_t> context)
    : sampling_(sampling),
      penalties_(sampling, context),
      random_(sampling.seed),
      number_(next_number()) {}

/// 53 random bits: a number of [0, 1), the same on every machine.
double Sampler::next_number() {
  return static_cast<double>(random_() >> 11) * 0x1.0p-53;
}

Result<int32_t> Sampler::sample(std::span<const float> logits) {
  RSR_CHECK(!logits.empty());
  RSR_RETURN_IF_ERROR(check_logits(logits));
  const int32_t id = choose(logits);
  penalties_.add(id);
  return id;
}

std::optional<Sampler::Need> Sampler::need() const {
  if (sampling_.temperature == 0.0f) return Need{};
  if (sampling_.top_k > kMostBest) return std::nullopt;
  if (sampling_.top_k > 0) return Need{.best = sampling_.top_k};
  if (sampling_.min_p == 0.0f || sampling_.top_p != 1.0f) return std::nullopt;
  // exp(below / temperature) >= min_p, with room for the rounding of either side.
  constexpr double kSlack = 1e-9;
  return Need{.window = sampling_.temperature * (kSlack - std::log(double{sampling_.min_p}))};
}

linear::ScoreChanges Sampler::changes() const {
  if (penalties_.none()) return {};
  return {penalties_.ids(),
          [this](int32_t id, double score) { return penalties_.changed(id, score); }};
}

int32_t Sampler::sample(const linear::HeadCandidates& candidates) {
  RSR_CHECK(!candidates.ids.empty());
  candidates_.clear();
  for (size_t i = 0; i < candidates.ids.size(); ++i) {
    const int32_t id = candidates.ids[i];
    const double logit = candidates.logits[i];
    candidates_.push_back({penalties_.none() ? logit : penalties_.changed(id, logit), 0.0, id});
  }
  const bool greedy = sampling_.temperature == 0.0f;
  const int32_t id = greedy ? std::min_element(candidates_.begin(), candidates_.end(), kBetter)->id
                            : draw_candidate();
  penalties_.add(id);
  return id;
}

cuda::HeadQuery Sampler::query() const {
  const Need needed = need().value();
  cuda::HeadQuery query;
  query.uniform = number_;
  query.window = needed.window;
  query.best = static_cast<int32_t>(needed.best);
  query.temperature = sampling_.temperature;
  query.top_k = static_cast<int32_t>(sampling_.top_k);
  query.top_p = sampling_.top_p;
  query.min_p = sampling_.min_p;
  query.changes = penalties_.none() ? 0 : 1;
  query.repetition = sampling_.repetition_penalty;
  query.presence = sampling_.presence_penalty;
  query.frequency = sampling_.frequency_penalty;
  return query;
}

void Sampler::accept(int32_t id) {
  if (sampling_.temperature != 0.0f) number_ = next_number();
  penalties_.add(id);
}

int32_t Sampler::choose(std::span<const float> logits) {
  if (sampling_.temperature == 0.0f && penalties_.none()) {
    return static_cast<int32_t>(best_of(logits));
  }
  scores_.assign(logits.begin(), logits.end());
  if (!penalties_.none()) penalties_.apply(scores_);
  if (sampling_.temperature == 0.0f) return static_cast<int32_t>(best_of(scores_));
  candidates_.clear();
  for (size_t i = 0; i < scores_.size(); ++i) {
    candidates_.push_back({scores_[i], 0.0, static_cast<int32_t>(i)});
  }
  return draw_candidate();
}

/// Of candidates with scores, ids ascending: what the cuts leave must not depend on those that they
/// cut, nor may the order of sums.
int32_t Sampler::draw_candidate() {
  keep_top_k();
  weigh();
  keep_top_p();
  keep_min_p();
  return draw();
}

void Sampler::keep_top_k() {
  const int64_t k = sampling_.top_k;
  if (k == 0 || k >= static_cast<int64_t>(candidates_.size())) return;
  std::nth_element(candidates_.begin(), candidates_.begin() + k, candidates_.end(), kBetter);
  candidates_.resize(static_cast<size_t>(k));
  std::sort(candidates_.begin(), candidates_.end(), kLowerId);
}

void Sampler::weigh() {
  const double top = std::min_element(candidates_.begin(), candidates_.end(), kBetter)->score;
  for (Candidate& candidate : candidates_) {
    const double below = candidate.score - top;
    candidate.weight = below == 0.0 ? 1.0 : base::exp_of_negative(below / sampling_.temperature);
  }
  std::erase_if(candidates_, [](const Candidate& c) { return !(c.weight > 0.0); });
}

void Sampler::keep_top_p() {
  if (sampling_.top_p == 1.0f) return;
  double total = 0.0;
  for (const Candidate& candidate : candidates_) total += candidate.weight;
  const double wanted = total * static_cast<double>(sampling_.top_p);
  // A few tokens hold most of the weight as a rule: more are sorted only when these do not.
  const size_t count = candidates_.size();
  double sum = 0.0;
  size_t kept = 0;
  for (size_t sorted = 0; kept < count && sum < wanted; ++kept) {
    if (kept == sorted) {
      sorted = std::min(count, std::max<size_t>(64, 8 * sorted));
      std::partial_sort(candidates_.begin() + static_cast<ptrdiff_t>(kept),
                        candidates_.begin() + static_cast<ptrdiff_t>(sorted), candidates_.end(),
                        kLikelier);
    }
    sum += candidates_[kept].weight;
  }
  candidates_.resize(std::max<size_t>(kept, 1));
}

void Sampler::keep_min_p() {
  // The best has weight 1.
  const double least = sampling_.min_p;
  if (least == 0.0) return;
  std::erase_if(candidates_, [least](const Candidate& c) { return c.weight < least; });
}

int32_t Sampler::draw() {
  // Back to the order of ids where a step has changed it: equal sets must give equal draws.
  if (!std::is_sorted(candidates_.begin(), candidates_.end(), kLowerId)) {
    std::sort(candidates_.begin(), candidates_.end(), kLowerId);
  }
  double total = 0.0;
  for (const Candidate& candidate : candidates_) total += candidate.weight;
  const double target = number_ * total;
  number_ = next_number();
  double sum = 0.0;
  for (const Candidate& candidate : candidates_) {
    sum += candidate.weight;
    if (sum > target) return candidate.id;
  }
  return candidates_.back().id;  // rounding carried the target past the end
}

}  // namespace rsr::engine
