#include "engine/penalties.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace rsr::engine {

Penalties::Penalties(const Sampling& sampling, std::span<const int32_t> context)
    : sampling_(sampling) {
  if (none()) return;
  for (const auto& [id, bias] : sampling.logit_bias) {
    token(id).is_biased = true;
    token(id).bias = bias;
    ids_.push_back(id);
  }
  for (const int32_t id : context) see(id);
}

Penalties::Token& Penalties::token(int32_t id) {
  const auto index = static_cast<size_t>(id);
  if (index >= tokens_.size()) tokens_.resize(index + 1);
  return tokens_[index];
}

void Penalties::see(int32_t id) {
  Token& known = token(id);
  if (!known.is_seen && !known.is_biased) ids_.push_back(id);
  known.is_seen = true;
}

void Penalties::add(int32_t id) {
  if (none()) return;
  see(id);
  ++token(id).generated;
}

bool Penalties::none() const {
  return sampling_.repetition_penalty == 1.0f && sampling_.presence_penalty == 0.0f &&
         sampling_.frequency_penalty == 0.0f && sampling_.logit_bias.empty();
}

float Penalties::changed(int32_t id, float score) const {
  const auto index = static_cast<size_t>(id);
  if (index >= tokens_.size() || !std::isfinite(score)) return score;
  const Token& known = tokens_[index];
  const double repetition = sampling_.repetition_penalty;
  double result = score;
  if (known.is_seen) result = result < 0.0 ? result * repetition : result / repetition;
  if (known.is_biased) result += known.bias;
  if (known.generated != 0) {
    const double presence = sampling_.presence_penalty;
    const double frequency = sampling_.frequency_penalty;
    result -= presence + frequency * static_cast<double>(known.generated);
  }
  constexpr double kMost = std::numeric_limits<float>::max();
  return static_cast<float>(std::clamp(result, -kMost, kMost));
}

cuda::HeadChange Penalties::change_of(int32_t id) const {
  const auto index = static_cast<size_t>(id);
  if (index >= tokens_.size()) return {};
  const Token& known = tokens_[index];
  return {known.is_seen ? 1 : 0, known.is_biased ? 1 : 0, known.bias,
          static_cast<int32_t>(known.generated)};
}

void Penalties::apply(std::span<float> scores) const {
  for (const int32_t id : ids_) {
    // The context may hold ids that are not sampled: padding rows of the table are fed by no one,
    // but nothing here depends on it.
    if (static_cast<size_t>(id) >= scores.size()) continue;
    float& score = scores[static_cast<size_t>(id)];
    score = changed(id, score);
  }
}

}  // namespace rsr::engine
