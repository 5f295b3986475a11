#include "base/float16.h"
#include "kernels/dense/dense.h"

namespace rsr::kernels {
namespace {

template <float (*widen)(uint16_t)>
float dot(const uint16_t* w, const float* x, int64_t cols) {
  float lanes[kDenseLanes] = {};
  int64_t c = 0;
  for (; c + kDenseLanes <= cols; c += kDenseLanes) {
    for (int l = 0; l < kDenseLanes; ++l) lanes[l] += widen(w[c + l]) * x[c + l];
  }
  for (int l = 0; c + l < cols; ++l) lanes[l] += widen(w[c + l]) * x[c + l];
  for (int half = kDenseLanes / 2; half > 0; half /= 2) {
    for (int l = 0; l < half; ++l) lanes[l] += lanes[l + half];
  }
  return lanes[0];
}

template <float (*widen)(uint16_t)>
void rows_of(const Dense16F32& p, int64_t row_begin, int64_t row_end) {
  for (int64_t row = row_begin; row < row_end; ++row) {
    for (int64_t t = 0; t < p.batch; ++t) {
      p.y[t * p.y_stride + row] = dot<widen>(p.w + row * p.cols, p.x + t * p.cols, p.cols);
    }
  }
}

}  // namespace

void dense_bf16_f32_reference(const Dense16F32& p, int64_t row_begin, int64_t row_end) noexcept {
  rows_of<base::from_bf16>(p, row_begin, row_end);
}

void dense_f16_f32_reference(const Dense16F32& p, int64_t row_begin, int64_t row_end) noexcept {
  rows_of<base::from_f16>(p, row_begin, row_end);
}

}  // namespace rsr::kernels
