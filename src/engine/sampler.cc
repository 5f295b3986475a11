#include "engine/sampler.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"

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

/// The likelier first, the lower id among equals.
constexpr auto kLikelier = [](const auto& a, const auto& b) {
  return a.weight != b.weight ? a.weight > b.weight : a.id < b.id;
};

constexpr auto kLowerId = [](const auto& a, const auto& b) { return a.id < b.id; };

}  // namespace

Sampler::Sampler(const Sampling& sampling, std::span<const int32_t> context)
    : sampling_(sampling), penalties_(sampling, context), random_(sampling.seed) {}

Result<int32_t> Sampler::sample(std::span<const float> logits) {
  RSR_CHECK(!logits.empty());
  RSR_RETURN_IF_ERROR(check_logits(logits));
  const int32_t id = choose(logits);
  penalties_.add(id);
  return id;
}

int32_t Sampler::choose(std::span<const float> logits) {
  if (sampling_.temperature == 0.0f && penalties_.none()) {
    return static_cast<int32_t>(best_of(logits));
  }
  scores_.assign(logits.begin(), logits.end());
  if (!penalties_.none()) penalties_.apply(scores_);
  const size_t best = best_of(scores_);
  if (sampling_.temperature == 0.0f) return static_cast<int32_t>(best);
  weigh(scores_[best]);
  keep_top_k();
  keep_top_p();
  keep_min_p();
  return draw();
}

void Sampler::weigh(double top) {
  candidates_.clear();
  for (size_t i = 0; i < scores_.size(); ++i) {
    const double below = scores_[i] - top;
    const double weight = below == 0.0 ? 1.0 : std::exp(below / sampling_.temperature);
    if (weight > 0.0) candidates_.push_back({weight, static_cast<int32_t>(i)});
  }
}

void Sampler::keep_top_k() {
  const int64_t k = sampling_.top_k;
  if (k == 0 || k >= static_cast<int64_t>(candidates_.size())) return;
  std::nth_element(candidates_.begin(), candidates_.begin() + k, candidates_.end(), kLikelier);
  candidates_.resize(static_cast<size_t>(k));
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
  // 53 random bits: a number of [0, 1), the same on every machine.
  const double target = static_cast<double>(random_() >> 11) * 0x1.0p-53 * total;
  double sum = 0.0;
  for (const Candidate& candidate : candidates_) {
    sum += candidate.weight;
    if (sum > target) return candidate.id;
  }
  return candidates_.back().id;  // rounding carried the target past the end
}

}  // namespace rsr::engine
