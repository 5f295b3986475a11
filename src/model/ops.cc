#include "model/ops.h"

#include <algorithm>
#include <cmath>

namespace rsr::model {
namespace {

constexpr int kLanes = 16;

float tree_sum(float* lanes) noexcept {
  for (int width = kLanes / 2; width > 0; width /= 2) {
    for (int i = 0; i < width; ++i) lanes[i] += lanes[i + width];
  }
  return lanes[0];
}

}  // namespace

float dot(const float* a, const float* b, int64_t n) noexcept {
  float lanes[kLanes] = {};
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    for (int lane = 0; lane < kLanes; ++lane) lanes[lane] += a[i + lane] * b[i + lane];
  }
  for (int lane = 0; i < n; ++i, ++lane) lanes[lane] += a[i] * b[i];
  return tree_sum(lanes);
}

void rms_norm(const float* x, std::span<const float> weight, float eps, float* y) noexcept {
  const auto n = static_cast<int64_t>(weight.size());
  const float mean = dot(x, x, n) / static_cast<float>(n);
  const float scale = 1.0f / std::sqrt(mean + eps);
  for (int64_t i = 0; i < n; ++i) y[i] = x[i] * scale * weight[static_cast<size_t>(i)];
}

void relu2_gate(const float* gate, const float* up, int64_t n, float* y) noexcept {
  for (int64_t i = 0; i < n; ++i) {
    const float positive = gate[i] < 0.0f ? 0.0f : gate[i];  // NaN stays NaN, to be noticed
    y[i] = positive * positive * up[i];
  }
}

void silu_gate(const float* gate, const float* up, int64_t n, float* y) noexcept {
  for (int64_t i = 0; i < n; ++i) y[i] = gate[i] / (1.0f + std::exp(-gate[i])) * up[i];
}

void add(const float* x, int64_t n, float* y) noexcept {
  for (int64_t i = 0; i < n; ++i) y[i] += x[i];
}

}  // namespace rsr::model
