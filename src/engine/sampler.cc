#include "engine/sampler.h"

#include <cmath>

#include "base/check.h"

namespace rsr::engine {

Result<int32_t> Sampler::sample(std::span<const float> logits) {
  RSR_CHECK(!logits.empty());
  size_t best = 0;
  for (size_t i = 0; i < logits.size(); ++i) {
    if (std::isnan(logits[i]) || logits[i] == HUGE_VALF) {
      return base::error(ErrorCode::corrupt_data, "the model gave the logit ", logits[i],
                         " for token ", i);
    }
    if (logits[i] > logits[best]) best = i;
  }
  if (temperature_ == 0.0) return static_cast<int32_t>(best);
  return draw(logits, logits[best]);
}

int32_t Sampler::draw(std::span<const float> logits, float top) {
  weights_.resize(logits.size());
  double total = 0.0;
  for (size_t i = 0; i < logits.size(); ++i) {
    const double below = static_cast<double>(logits[i]) - static_cast<double>(top);
    weights_[i] = below == 0.0 ? 1.0 : std::exp(below / temperature_);
    total += weights_[i];
  }
  // 53 random bits: a number of [0, 1), the same on every machine.
  const double target = static_cast<double>(random_() >> 11) * 0x1.0p-53 * total;
  double sum = 0.0;
  size_t last = 0;  // the last token with any weight, should rounding carry the target past the end
  for (size_t i = 0; i < logits.size(); ++i) {
    if (weights_[i] == 0.0) continue;
    last = i;
    sum += weights_[i];
    if (sum > target) break;
  }
  return static_cast<int32_t>(last);
}

}  // namespace rsr::engine
