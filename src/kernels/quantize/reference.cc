#include <algorithm>
#include <cmath>

#include "kernels/quantize/quantize.h"

namespace rsr::kernels {

void quantize_i8_reference(const QuantizeI8& p, int64_t token_begin, int64_t token_end) noexcept {
  for (int64_t t = token_begin; t < token_end; ++t) {
    const float* x = p.x + t * p.cols;
    int8_t* q = p.q + t * p.q_stride;
    float m = kQuantizeFloor;
    for (int64_t c = 0; c < p.cols; ++c) m = std::max(m, std::fabs(x[c]));
    const float scale = 127.0f / m;
    int32_t sum = 0;
    for (int64_t c = 0; c < p.cols; ++c) {
      // lrint rounds half to even in the default rounding mode, which this library never changes.
      const auto value = static_cast<int32_t>(std::lrint(x[c] * scale));
      q[c] = static_cast<int8_t>(value);
      sum += value;
    }
    std::fill(q + p.cols, q + p.q_stride, int8_t{0});
    p.sums[t] = sum;
    p.inverse_scales[t] = m / 127.0f;
  }
}

}  // namespace rsr::kernels
