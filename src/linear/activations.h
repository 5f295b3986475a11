// int8 activations that several products share.
#pragma once

#include <cstdint>

#include "base/aligned.h"
#include "rsr/linear.h"

namespace rsr::linear {

/// A batch of int8 activations in the layout that kernels read. One batch may serve several
/// matrices with the same number of columns: q, k and v share one quantisation.
///
/// quantize() applies the rule of BitNet b1.58 per token: m = max(max |x|, 1e-5), s = 127 / m,
/// q = round_half_to_even(x * s).
class Activations {
 public:
  /// x[batch, cols], finite. Memory is kept between calls and only grows.
  void quantize(Context::Impl& context, const float* x, int64_t batch, int64_t cols);

  int64_t batch() const { return batch_; }
  int64_t cols() const { return cols_; }
  /// Row stride in bytes: at least 31 more than cols, an odd multiple of 64; the rest is zero.
  int64_t stride() const { return stride_; }
  const int8_t* values() const { return values_.data(); }
  /// Sum of the values of each token.
  const int32_t* sums() const { return sums_.data(); }
  /// 1 / s of each token: multiplies an integer product back into floats.
  const float* inverse_scales() const { return inverse_scales_.data(); }

 private:
  int64_t batch_ = 0;
  int64_t cols_ = 0;
  int64_t stride_ = 0;
  base::AlignedArray<int8_t> values_;
  base::AlignedArray<int32_t> sums_;
  base::AlignedArray<float> inverse_scales_;
};

}  // namespace rsr::linear
