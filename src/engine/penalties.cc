#include "engine/penalties.h"

namespace rsr::engine {

Penalties::Penalties(const Sampling& sampling, std::span<const int32_t> context)
    : sampling_(sampling) {
  for (const int32_t id : context) see(id);
}

void Penalties::see(int32_t id) {
  const auto index = static_cast<size_t>(id);
  if (index >= is_seen_.size()) is_seen_.resize(index + 1);
  if (is_seen_[index]) return;
  is_seen_[index] = true;
  seen_.push_back(id);
}

void Penalties::add(int32_t id) {
  see(id);
  ++generated_[id];
}

bool Penalties::none() const {
  return sampling_.repetition_penalty == 1.0f && sampling_.presence_penalty == 0.0f &&
         sampling_.frequency_penalty == 0.0f && sampling_.logit_bias.empty();
}

void Penalties::apply(std::span<double> scores) const {
  // The context may hold ids that are not sampled: padding rows of the table are fed by no one, but
  // nothing here depends on it.
  const auto known = [&](int32_t id) { return static_cast<size_t>(id) < scores.size(); };
  const double repetition = sampling_.repetition_penalty;
  for (const int32_t id : seen_) {
    if (!known(id)) continue;
    double& score = scores[static_cast<size_t>(id)];
    score = score < 0.0 ? score * repetition : score / repetition;
  }
  for (const auto& [id, bias] : sampling_.logit_bias) {
    if (known(id)) scores[static_cast<size_t>(id)] += bias;
  }
  const double presence = sampling_.presence_penalty;
  const double frequency = sampling_.frequency_penalty;
  for (const auto& [id, count] : generated_) {
    if (!known(id)) continue;
    scores[static_cast<size_t>(id)] -= presence + frequency * static_cast<double>(count);
  }
}

}  // namespace rsr::engine
