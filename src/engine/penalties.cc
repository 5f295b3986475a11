#include "engine/penalties.h"

namespace rsr::engine {

Penalties::Penalties(const Sampling& sampling, std::span<const int32_t> context)
    : penalties_{sampling.repetition_penalty, sampling.presence_penalty,
                 sampling.frequency_penalty},
      has_biases_(!sampling.logit_bias.empty()) {
  if (none()) return;
  for (const auto& [id, bias] : sampling.logit_bias) {
    token(id).biased = 1;
    token(id).bias = bias;
    ids_.push_back(id);
  }
  for (const int32_t id : context) see(id);
}

cuda::HeadChange& Penalties::token(int32_t id) {
  const auto index = static_cast<size_t>(id);
  if (index >= tokens_.size()) tokens_.resize(index + 1);
  return tokens_[index];
}

void Penalties::see(int32_t id) {
  cuda::HeadChange& known = token(id);
  if (known.seen == 0 && known.biased == 0) ids_.push_back(id);
  known.seen = 1;
}

void Penalties::add(int32_t id) {
  if (none()) return;
  see(id);
  ++token(id).generated;
}

bool Penalties::none() const {
  return penalties_.repetition == 1.0f && penalties_.presence == 0.0f &&
         penalties_.frequency == 0.0f && !has_biases_;
}

cuda::HeadChange Penalties::change_of(int32_t id) const {
  const auto index = static_cast<size_t>(id);
  return index < tokens_.size() ? tokens_[index] : cuda::HeadChange();
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
