// The scores of all positions, added up in the order of the text.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/moments.h"
#include "engine/token_scores.h"
#include "rsr/perplexity.h"

namespace rsr::engine {

class Tally {
 public:
  /// Of one model alone, or of two; not both kinds in one tally.
  void add(const TokenScore& score) { reference_.add(score.nll); }
  void add(const PairScore& score);

  /// Of the reference; NaN before the first score.
  double perplexity() const;

  /// Fills in what follows from the scores (at least 2), `bytes` being those of all predicted
  /// tokens: of one model, or of the comparison and both its models.
  void summarise(int64_t bytes, Perplexity* result) const;
  void summarise(int64_t bytes, Comparison* result);

 private:
  /// The smallest of all divergences that `share` of them do not exceed. Reorders them.
  double kl_quantile(double share);

  Moments reference_;
  Moments other_;
  Moments difference_;
  Moments kl_;
  Moments agreement_;  // 1 where both have the same best token, else 0
  std::vector<double> kls_;
  double max_logit_difference_ = 0;
};

}  // namespace rsr::engine
