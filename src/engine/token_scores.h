// What the logits of one position say about the token that came, for one model or two.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace rsr::engine {

/// NaN in all doubles where a logit is not finite.
struct TokenScore {
  double nll = 0;    ///< -ln of the token's probability, never negative
  int64_t best = 0;  ///< id of the largest logit, the lowest of equals
};

/// `logits` [vocab] of the position, `token` an id below vocab.
TokenScore score_token(std::span<const float> logits, int32_t token);

struct PairScore {
  TokenScore reference;
  TokenScore other;
  double kl = 0;                ///< sum of p ln(p / q) over the vocabulary, in nats, never negative
  double logit_difference = 0;  ///< the largest |p's logit - q's|
};

/// Two models' logits [vocab] of one position. Equal logits give a divergence of exactly 0.
PairScore score_pair(std::span<const float> reference, std::span<const float> other, int32_t token);

}  // namespace rsr::engine
