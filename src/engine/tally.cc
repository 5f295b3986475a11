#include "engine/tally.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

namespace rsr::engine {
namespace {

void summarise_one(const Moments& nll, int64_t bytes, Perplexity* result) {
  result->predicted_tokens = nll.count();
  result->predicted_bytes = bytes;
  result->mean_nll = nll.mean();
  result->mean_nll_error = nll.error();
  result->perplexity = std::exp(nll.mean());
  result->perplexity_error = result->perplexity * nll.error();
  const double bits = nll.mean() * static_cast<double>(nll.count()) / std::numbers::ln2;
  result->bits_per_byte = bits / static_cast<double>(bytes);
}

}  // namespace

void Tally::add(const PairScore& score) {
  reference_.add(score.reference.nll);
  other_.add(score.other.nll);
  difference_.add(score.other.nll - score.reference.nll);
  kl_.add(score.kl);
  kls_.push_back(score.kl);
  agreement_.add(score.reference.best == score.other.best ? 1.0 : 0.0);
  max_logit_difference_ = std::max(max_logit_difference_, score.logit_difference);
}

double Tally::perplexity() const {
  return reference_.count() == 0 ? std::numeric_limits<double>::quiet_NaN()
                                 : std::exp(reference_.mean());
}

void Tally::summarise(int64_t bytes, Perplexity* result) const {
  summarise_one(reference_, bytes, result);
}

void Tally::summarise(int64_t bytes, Comparison* result) {
  summarise_one(reference_, bytes, &result->reference);
  summarise_one(other_, bytes, &result->other);
  result->nll_difference = difference_.mean();
  result->nll_difference_error = difference_.error();
  result->perplexity_ratio = std::exp(difference_.mean());
  result->perplexity_ratio_error = result->perplexity_ratio * difference_.error();
  result->mean_kl = kl_.mean();
  result->mean_kl_error = kl_.error();
  result->median_kl = kl_quantile(0.5);
  result->p99_kl = kl_quantile(0.99);
  result->max_kl = *std::max_element(kls_.begin(), kls_.end());
  result->top1_agreement = agreement_.mean();
  result->top1_agreement_error = agreement_.error();
  result->max_logit_difference = max_logit_difference_;
}

double Tally::kl_quantile(double share) {
  const auto rank = static_cast<size_t>(std::ceil(share * static_cast<double>(kls_.size())));
  const auto at = kls_.begin() + static_cast<ptrdiff_t>(std::max<size_t>(rank, 1) - 1);
  std::nth_element(kls_.begin(), at, kls_.end());
  return *at;
}

}  // namespace rsr::engine
