#include "model/ops.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

namespace rsr::model {
namespace {

constexpr int kLanes = 16;

// Positions whose scores are held at once: they and their keys stay in the first-level cache.
constexpr int64_t kBlock = 64;

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

std::vector<double> rope_frequencies(double theta, int64_t head_dim) {
  std::vector<double> frequencies(static_cast<size_t>(head_dim / 2));
  for (size_t i = 0; i < frequencies.size(); ++i) {
    frequencies[i] = std::pow(theta, -2.0 * static_cast<double>(i) / static_cast<double>(head_dim));
  }
  return frequencies;
}

void rope_angles(int64_t position, std::span<const double> frequencies, float* cosine,
                 float* sine) noexcept {
  for (size_t i = 0; i < frequencies.size(); ++i) {
    const double angle = static_cast<double>(position) * frequencies[i];
    cosine[i] = static_cast<float>(std::cos(angle));
    sine[i] = static_cast<float>(std::sin(angle));
  }
}

void rope(std::span<const float> cosine, std::span<const float> sine, int64_t heads,
          float* x) noexcept {
  const size_t half = cosine.size();
  for (int64_t head = 0; head < heads; ++head, x += 2 * half) {
    for (size_t i = 0; i < half; ++i) {
      const float x0 = x[i];
      const float x1 = x[i + half];
      x[i] = x0 * cosine[i] - x1 * sine[i];
      x[i + half] = x0 * sine[i] + x1 * cosine[i];
    }
  }
}

void relu2_gate(const float* gate, const float* up, int64_t n, float* y) noexcept {
  for (int64_t i = 0; i < n; ++i) {
    const float positive = gate[i] < 0.0f ? 0.0f : gate[i];  // NaN stays NaN, to be noticed
    y[i] = positive * positive * up[i];
  }
}

void add(const float* x, int64_t n, float* y) noexcept {
  for (int64_t i = 0; i < n; ++i) y[i] += x[i];
}

void widen_bf16(const uint16_t* x, int64_t n, float* y) noexcept {
  for (int64_t i = 0; i < n; ++i) y[i] = std::bit_cast<float>(static_cast<uint32_t>(x[i]) << 16);
}

void attend(const float* query, const HeadCache& cache, float* out) noexcept {
  const int64_t dim = cache.head_dim;
  const float scale = 1.0f / std::sqrt(static_cast<float>(dim));
  float top = -std::numeric_limits<float>::infinity();  // largest score so far
  float total = 0.0f;                                   // sum of exp(score - top)
  std::fill_n(out, dim, 0.0f);                          // sum of exp(score - top) * value
  for (int64_t begin = 0; begin < cache.positions; begin += kBlock) {
    const int64_t count = std::min(kBlock, cache.positions - begin);
    float weights[kBlock];
    float new_top = top;
    for (int64_t j = 0; j < count; ++j) {
      weights[j] = dot(query, cache.keys + (begin + j) * cache.stride, dim) * scale;
      new_top = std::max(new_top, weights[j]);
    }
    const float correction = std::exp(top - new_top);
    top = new_top;
    total *= correction;
    for (int64_t i = 0; i < dim; ++i) out[i] *= correction;
    for (int64_t j = 0; j < count; ++j) {
      const float weight = std::exp(weights[j] - top);
      const float* value = cache.values + (begin + j) * cache.stride;
      total += weight;
      for (int64_t i = 0; i < dim; ++i) out[i] += weight * value[i];
    }
  }
  for (int64_t i = 0; i < dim; ++i) out[i] /= total;
}

}  // namespace rsr::model
