#include <functional>

#include "linear/linear.h"

namespace rsr::linear {

void Activations::quantize(Context::Impl& context, const float* x, int64_t batch, int64_t cols) {
  // Formats read up to 31 columns of padding. Rows at odd multiples of a cache line do not share
  // their places in the first cache (kernels/gemm/gemm.h).
  constexpr int64_t kPadding = 64;
  batch_ = batch;
  cols_ = cols;
  stride_ = ((cols + 31 + kPadding - 1) / kPadding | 1) * kPadding;
  values_.reserve_discard(static_cast<size_t>(batch * stride_));
  sums_.reserve_discard(static_cast<size_t>(batch));
  inverse_scales_.reserve_discard(static_cast<size_t>(batch));
  const kernels::QuantizeI8 p{x,       cols,         values_.data(),
                              stride_, sums_.data(), inverse_scales_.data()};
  const auto part = [&](base::Range tokens) {
    context.kernels.quantize->function(p, tokens.begin, tokens.end);
  };
  context.pool.parallel_for(batch, std::cref(part));
}

}  // namespace rsr::linear
