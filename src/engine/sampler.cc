#include "engine/sampler.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/check.h"
#include "base/token_weight.h"

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
int32_t index_of_best(std::span<const float> values) {
  return static_cast<int32_t>(std::max_element(values.begin(), values.end()) - values.begin());
}

// Most tokens of a top-k that are looked for by a scan; more are not few.
constexpr int64_t kMostBest = cuda::kHeadMostBest;

/// In units of 2^-64, at least one; all of it is 0.
uint64_t fraction_of(float top_p) {
  constexpr double kOne = 0x1p64;
  if (top_p >= 1.0f) return 0;
  return std::max<uint64_t>(static_cast<uint64_t>(top_p * kOne), 1);
}

uint64_t least_weight_of(float min_p) {
  const double full = base::kFullWeight;
  return std::max<uint64_t>(static_cast<uint64_t>(std::ceil(min_p * full)), 1);
}

}  // namespace

Sampler::Sampler(const Sampling& sampling, std::span<const int32_t> context)
    : sampling_(sampling),
      top_p_(fraction_of(sampling.top_p)),
      least_weight_(least_weight_of(sampling.min_p)),
      penalties_(sampling, context),
      random_(sampling.seed),
      number_(random_()) {}

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
  // exp(below / temperature) is rounded to the least weight or more; with room for the rounding of
  // either side.
  constexpr double kSlack = 1e-9;
  const double least = (static_cast<double>(least_weight_) - 0.5) / base::kFullWeight;
  return Need{.window = sampling_.temperature * (kSlack - std::log(least))};
}

linear::ScoreChanges Sampler::changes() const {
  if (penalties_.none()) return {};
  return {penalties_.ids(),
          [this](int32_t id, float score) { return penalties_.changed(id, score); }};
}

int32_t Sampler::sample(const linear::HeadCandidates& candidates) {
  RSR_CHECK(!candidates.ids.empty());
  candidates_.clear();
  for (size_t i = 0; i < candidates.ids.size(); ++i) {
    const int32_t id = candidates.ids[i];
    const float logit = candidates.logits[i];
    candidates_.push_back({0, penalties_.changed(id, logit), id});
  }
  const bool greedy = sampling_.temperature == 0.0f;
  const int32_t id = greedy ? best_of(candidates_).id : draw_candidate();
  penalties_.add(id);
  return id;
}

void Sampler::ask(std::span<const int32_t> guesses, std::vector<cuda::HeadQuery>* queries) const {
  queries->assign(1, query());
  if (guesses.empty()) return;
  std::mt19937_64 random = random_;
  for (const int32_t id : guesses) {
    cuda::HeadQuery next = queries->back();
    next.number = random();
    if (changes_scores()) add_guess(id, &next);
    queries->push_back(next);
  }
}

/// What add() does to the penalties.
void Sampler::add_guess(int32_t id, cuda::HeadQuery* query) const {
  RSR_CHECK(query->overrides < cuda::kHeadMostStates - 1);
  cuda::HeadChange change = change_of(id);
  for (int32_t i = 0; i < query->overrides; ++i) {
    if (query->override[i].id == id) change = query->override[i].change;
  }
  change.seen = 1;
  ++change.generated;
  query->override[query->overrides++] = {id, change};
}

cuda::HeadQuery Sampler::query() const {
  const Need needed = need().value_or(Need{});
  cuda::HeadQuery query;
  query.number = number_;
  query.top_p = top_p_;
  query.least_weight = least_weight_;
  query.window = needed.window;
  query.best = static_cast<int32_t>(needed.best);
  query.temperature = sampling_.temperature;
  query.top_k = static_cast<int32_t>(std::min<int64_t>(sampling_.top_k, INT32_MAX));
  query.changes = changes_scores() ? 1 : 0;
  query.penalties = penalties_.of_scores();
  return query;
}

void Sampler::accept(int32_t id) {
  if (sampling_.temperature != 0.0f) number_ = random_();
  penalties_.add(id);
}

int32_t Sampler::choose(std::span<const float> logits) {
  if (sampling_.temperature == 0.0f && penalties_.none()) {
    return index_of_best(logits);
  }
  scores_.assign(logits.begin(), logits.end());
  if (!penalties_.none()) penalties_.apply(scores_);
  if (sampling_.temperature == 0.0f) return index_of_best(scores_);
  candidates_.clear();
  for (size_t i = 0; i < scores_.size(); ++i) {
    candidates_.push_back({0, scores_[i], static_cast<int32_t>(i)});
  }
  return draw_candidate();
}

int32_t Sampler::draw_candidate() {
  keep_top_k(&candidates_, sampling_.top_k);
  weigh(&candidates_, sampling_.temperature);
  keep_top_p(&candidates_, top_p_);
  keep_weights_from(&candidates_, least_weight_);
  return draw(&candidates_, std::exchange(number_, random_()));
}

}  // namespace rsr::engine
