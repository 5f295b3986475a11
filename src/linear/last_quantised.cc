#include "linear/last_quantised.h"

#include <cstring>

#include "base/check.h"

namespace rsr::linear {

bool LastQuantised::is_last(std::span<const float> x, int64_t cols) const {
  return last_.has_value() && last_->cols() == cols &&
         last_->batch() * cols == static_cast<int64_t>(x.size()) &&
         std::memcmp(x.data(), x_.data(), x.size_bytes()) == 0;
}

Result<QuantisedVectors> LastQuantised::of(const Context& context, std::span<const float> x,
                                           int64_t cols) {
  const std::lock_guard lock(mutex_);
  if (is_last(x, cols)) return *last_;
  ++made_;
  if (x.empty() || x.size() > kMostFloats) return quantise(context, x, cols);
  last_.reset();
  x_.reserve_discard(x.size());
  std::memcpy(x_.data(), x.data(), x.size_bytes());
  // Of the copy, so that both belong together even if somebody writes to x meanwhile.
  RSR_ASSIGN_OR_RETURN(last_, quantise(context, {x_.data(), x.size()}, cols));
  return *last_;
}

int64_t LastQuantised::made() const {
  const std::lock_guard lock(mutex_);
  return made_;
}

}  // namespace rsr::linear
