#include "model/ops.h"

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

namespace rsr::model {
namespace {

constexpr int kLanes = 16;

float tree_sum(float* lanes) noexcept {
  for (int width = kLanes / 2; width > 0; width /= 2) {
    for (int i = 0; i < width; ++i) lanes[i] += lanes[i + width];
  }
  return lanes[0];
}

/// exp(x) within 3 units in the last place, infinity above 88, exp(-87) below -87; a NaN stays one.
/// Without branches, so that loops over it become vector code: 14,336 silus take 21 microseconds,
/// with the library's function 42. n as in kernels/attention/blocks_attend.h.
inline float fast_exp(float x) {
  constexpr float kMagic = 12582912.0f;
  const float low = x < -87.0f ? -87.0f : x;
  const float clamped = low > 88.0f ? 88.0f : low;
  const float shifted = clamped * 1.44269504088896341f + kMagic;
  const float n = shifted - kMagic;
  const float r = (clamped - n * 0.693145751953125f) - n * 1.42860682030941723e-6f;
  float p = 1.0f / 720;
  p = p * r + 1.0f / 120;
  p = p * r + 1.0f / 24;
  p = p * r + 1.0f / 6;
  p = p * r + 0.5f;
  p = p * r + 1.0f;
  p = p * r + 1.0f;
  const uint32_t bits = std::bit_cast<uint32_t>(p) + (std::bit_cast<uint32_t>(shifted) << 23);
  return x > 88.0f ? std::numeric_limits<float>::infinity() : std::bit_cast<float>(bits);
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
  for (int64_t i = 0; i < n; ++i) y[i] = gate[i] / (1.0f + fast_exp(-gate[i])) * up[i];
}

void add(const float* x, int64_t n, float* y) noexcept {
  for (int64_t i = 0; i < n; ++i) y[i] += x[i];
}

}  // namespace rsr::model
