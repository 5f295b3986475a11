// From logits to the next token.
#pragma once

#include <cstdint>
#include <random>
#include <span>
#include <vector>

#include "engine/penalties.h"
#include "engine/sampling.h"
#include "rsr/status.h"

namespace rsr::engine {

/// Chooses the tokens of one answer. The order of the steps is that of GenerateOptions: penalties
/// and biases, then at temperature 0 the most likely token (the lowest id among equals), otherwise
/// temperature, top-k, top-p, min-p, and a draw among what they leave.
///
/// The choice is fixed by options, seed and logits: std::mt19937_64, whose numbers the C++ standard
/// defines, one number per token, and sums in double in a fixed order.
class Sampler {
 public:
  /// `sampling` was checked; `context` is every token before the first new one.
  explicit Sampler(const Sampling& sampling, std::span<const int32_t> context = {});

  /// The next token, remembered as generated. An error when a logit is NaN or plus infinity, or
  /// when none is finite: weights or cache are broken.
  Result<int32_t> sample(std::span<const float> logits);

 private:
  struct Candidate {
    double weight;
    int32_t id;
  };

  int32_t choose(std::span<const float> logits);
  void weigh(double top);
  void keep_top_k();
  void keep_top_p();
  void keep_min_p();
  int32_t draw();

  Sampling sampling_;
  Penalties penalties_;
  std::mt19937_64 random_;
  std::vector<double> scores_;         // logits after penalties
  std::vector<Candidate> candidates_;  // exp((score - top) / temperature); the best has weight 1
};

}  // namespace rsr::engine
