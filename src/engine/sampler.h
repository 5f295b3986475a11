// From logits to the next token.
#pragma once

#include <cstdint>
#include <random>
#include <span>
#include <vector>

#include "rsr/status.h"

namespace rsr::engine {

/// The most likely token at temperature 0 (the lowest id among equals), otherwise a token with
/// probability proportional to exp(logit / temperature).
///
/// The choice is fixed by seed and logits: std::mt19937_64, whose numbers the C++ standard defines,
/// one number per token, and the sums of one loop in double.
class Sampler {
 public:
  /// `temperature` is finite and not negative.
  Sampler(float temperature, uint64_t seed) : temperature_(temperature), random_(seed) {}

  /// An error when a logit is NaN or plus infinity: weights or cache are broken.
  Result<int32_t> sample(std::span<const float> logits);

 private:
  int32_t draw(std::span<const float> logits, float top);

  double temperature_;
  std::mt19937_64 random_;
  std::vector<double> weights_;  // exp((logit - top) / temperature), kept to save the allocation
};

}  // namespace rsr::engine
