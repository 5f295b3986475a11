#include "engine/token_scores.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace rsr::engine {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

struct Best {
  float logit = 0;
  int64_t id = 0;
  bool finite = true;  // all logits are
};

Best find_best(std::span<const float> logits) {
  Best best = {logits[0], 0, true};
  for (size_t i = 0; i < logits.size(); ++i) {
    best.finite = best.finite && std::isfinite(logits[i]);
    if (logits[i] > best.logit) best = {logits[i], static_cast<int64_t>(i), best.finite};
  }
  return best;
}

/// e to the power of how far a logit is below the best one.
double weight_of(float logit, const Best& best) {
  return std::exp(static_cast<double>(logit) - static_cast<double>(best.logit));
}

TokenScore score(std::span<const float> logits, int32_t token, const Best& best, double sum) {
  const double below =
      static_cast<double>(best.logit) - static_cast<double>(logits[static_cast<size_t>(token)]);
  return {below + std::log(sum), best.id};
}

}  // namespace

TokenScore score_token(std::span<const float> logits, int32_t token) {
  const Best best = find_best(logits);
  if (!best.finite) return {kNan, 0};
  double sum = 0;
  for (const float logit : logits) sum += weight_of(logit, best);
  return score(logits, token, best, sum);
}

PairScore score_pair(std::span<const float> reference, std::span<const float> other,
                     int32_t token) {
  const Best p_best = find_best(reference);
  const Best q_best = find_best(other);
  PairScore pair;
  if (!p_best.finite || !q_best.finite) {
    if (!p_best.finite) pair.reference.nll = kNan;
    if (!q_best.finite) pair.other.nll = kNan;
    pair.kl = pair.logit_difference = kNan;
    return pair;
  }
  double p_sum = 0;
  double q_sum = 0;
  double moved = 0;  // p_sum times the mean of p's logit - q's, drawn by p
  for (size_t i = 0; i < reference.size(); ++i) {
    const double difference = static_cast<double>(reference[i]) - static_cast<double>(other[i]);
    const double p = weight_of(reference[i], p_best);
    p_sum += p;
    q_sum += weight_of(other[i], q_best);
    moved += p * difference;
    pair.logit_difference = std::max(pair.logit_difference, std::abs(difference));
  }
  pair.reference = score(reference, token, p_best, p_sum);
  pair.other = score(other, token, q_best, q_sum);
  // ln(p / q) is the difference of the logits less that of the logarithms of both sums.
  const double p_log = static_cast<double>(p_best.logit) + std::log(p_sum);
  const double q_log = static_cast<double>(q_best.logit) + std::log(q_sum);
  pair.kl = std::max(0.0, moved / p_sum - (p_log - q_log));
  return pair;
}

}  // namespace rsr::engine
