#include "linear/last_quantised.h"

#include <cstring>

#include "base/check.h"
#include "linear/lengths.h"

namespace rsr::linear {

Status LastQuantised::multiply(const Context& context, const Weight& weight,
                               std::span<const float> x, std::span<float> y) {
  RSR_RETURN_IF_ERROR(check_lengths(weight, x.size(), y.size()).status());
  if (x.size() > kMostFloats) {
    ++made_;
    const Product product{&weight, y};
    return multiply_quantised(context, {&product, 1}, x);
  }
  RSR_ASSIGN_OR_RETURN(const QuantisedVectors vectors, quantised(context, x, weight.cols()));
  return rsr::multiply(context, weight, vectors, y);
}

bool LastQuantised::is_last(std::span<const float> x, int64_t cols) const {
  return last_.has_value() && last_->cols() == cols &&
         last_->batch() * cols == static_cast<int64_t>(x.size()) &&
         std::memcmp(x.data(), x_.data(), x.size_bytes()) == 0;
}

Result<QuantisedVectors> LastQuantised::quantised(const Context& context, std::span<const float> x,
                                                  int64_t cols) {
  const std::lock_guard lock(mutex_);
  if (is_last(x, cols)) return *last_;
  ++made_;
  last_.reset();
  x_.reserve_discard(x.size());
  std::memcpy(x_.data(), x.data(), x.size_bytes());
  // Of the copy, so that both belong together even if somebody writes to x meanwhile.
  RSR_ASSIGN_OR_RETURN(last_, quantise(context, {x_.data(), x.size()}, cols));
  return *last_;
}

}  // namespace rsr::linear
