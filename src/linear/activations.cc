#include "kernels/quantize/list.h"
#include "linear/linear.h"

namespace rsr::linear {

void Activations::quantize(Context::Impl& context, const float* x, int64_t batch, int64_t cols) {
  constexpr int64_t kPadding = 64;
  batch_ = batch;
  cols_ = cols;
  stride_ = (cols + kPadding - 1) / kPadding * kPadding;
  values_.reserve_discard(batch * stride_);
  sums_.reserve_discard(batch);
  inverse_scales_.reserve_discard(batch);
  const kernels::QuantizeI8 p{x,       cols,         values_.data(),
                              stride_, sums_.data(), inverse_scales_.data()};
  const auto& kernel = kernels::best_kernel(kernels::kQuantizeI8, context.isa);
  context.pool.parallel_for(
      batch, [&](base::Range tokens) { kernel.function(p, tokens.begin, tokens.end); });
}

}  // namespace rsr::linear
