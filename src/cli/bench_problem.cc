#include "cli/bench_problem.h"

#include <algorithm>
#include <cmath>
#include <random>

#include "base/check.h"

namespace rsr::cli {
namespace {

// Multiply-adds of a check beyond which only some rows of the middle vectors are compared: about a
// quarter of a second.
constexpr int64_t kCheckedProducts = int64_t{1} << 28;

}  // namespace

std::vector<int8_t> random_matrix(const MatrixShape& shape) {
  std::mt19937_64 random(1);
  std::vector<int8_t> w(shape.rows * shape.cols);
  const auto zero_below = static_cast<uint32_t>(shape.zeros * 65536 / 100);
  for (size_t i = 0; i < w.size();) {
    uint64_t bits = random();
    for (int lane = 0; lane < 2 && i < w.size(); ++lane, ++i, bits >>= 32) {
      const bool zero = (bits & 0xFFFF) < zero_below;
      const bool negative = !shape.is_binary && (bits & 0x10000) != 0;
      w[i] = static_cast<int8_t>(zero ? 0 : negative ? -1 : 1);
    }
  }
  return w;
}

std::vector<float> random_inputs(int64_t count) {
  std::mt19937_64 random(2);
  std::normal_distribution<float> normal;
  std::vector<float> x(count);
  for (float& v : x) v = normal(random);
  return x;
}

BenchProduct::BenchProduct(const std::vector<int8_t>& matrix, const MatrixShape& shape,
                           Activation activation, int64_t batch)
    : matrix_(matrix),
      shape_(shape),
      activation_(activation),
      batch_(batch),
      x_f32_(random_inputs(batch * shape.cols)) {
  if (activation == Activation::int8) {
    for (const float v : x_f32_) {
      x_i8_.push_back(static_cast<int8_t>(std::lrint(std::clamp(v * 32, -128.0f, 127.0f))));
    }
    y_i32_.resize(batch * shape.rows);
  } else {
    y_f32_.resize(batch * shape.rows);
    if (activation == Activation::quantised) quantise_inputs();
  }
}

/// The rule of multiply_quantised(), written once more.
void BenchProduct::quantise_inputs() {
  for (int64_t t = 0; t < batch_; ++t) {
    const float* x = x_f32_.data() + t * shape_.cols;
    float most = 1e-5f;
    for (int64_t c = 0; c < shape_.cols; ++c) most = std::max(most, std::fabs(x[c]));
    const float scale = 127.0f / most;
    for (int64_t c = 0; c < shape_.cols; ++c) {
      x_i8_.push_back(static_cast<int8_t>(std::lrint(x[c] * scale)));  // ties to even
    }
    inverse_scales_.push_back(most / 127.0f);
  }
}

Status BenchProduct::run(const Context& context, const Weight& weight) {
  if (activation_ == Activation::int8) return multiply(context, weight, x_i8_, y_i32_);
  if (activation_ == Activation::fp32) return multiply(context, weight, x_f32_, y_f32_);
  const Product product{.weight = &weight, .y = y_f32_};
  return multiply_quantised(context, {&product, 1}, x_f32_);
}

Result<Checked> BenchProduct::check() const {
  const int64_t every = 1 + batch_ * shape_.rows * shape_.cols / kCheckedProducts;
  double difference = 0;
  double norm = 0;
  Checked checked;
  for (int64_t t = 0; t < batch_; ++t) {
    const int64_t step = t == 0 || t == batch_ - 1 ? 1 : every;
    for (int64_t r = t % step; r < shape_.rows; r += step) {
      const int64_t at = t * shape_.rows + r;
      const auto [sum, tolerance] = expected(t, r);
      const double found =
          activation_ == Activation::int8 ? y_i32_[at] : static_cast<double>(y_f32_[at]);
      if (!(std::fabs(found - sum) <= tolerance)) {
        return base::error(ErrorCode::corrupt_data, "wrong result: token ", t, ", row ", r, " is ",
                           found, ", the plain product is ", sum);
      }
      difference += (found - sum) * (found - sum);
      norm += sum * sum;
      ++checked.results;
    }
  }
  checked.error_norm = norm > 0 ? std::sqrt(difference / norm) : 0;
  return checked;
}

BenchProduct::Expected BenchProduct::expected_float(const int8_t* w, const float* x) const {
  double sum = 0;
  double magnitude = 0;
  for (int64_t c = 0; c < shape_.cols; ++c) {
    sum += w[c] * static_cast<double>(x[c]);
    magnitude += std::fabs(static_cast<double>(x[c]));
  }
  return {sum, 1e-5 * magnitude};
}

BenchProduct::Expected BenchProduct::expected(int64_t token, int64_t row) const {
  const int8_t* w = matrix_.data() + row * shape_.cols;
  if (activation_ == Activation::fp32) {
    return expected_float(w, x_f32_.data() + token * shape_.cols);
  }
  const int8_t* x = x_i8_.data() + token * shape_.cols;
  int32_t sum = 0;
  for (int64_t c = 0; c < shape_.cols; ++c) sum += w[c] * x[c];
  if (activation_ == Activation::int8) return {static_cast<double>(sum), 0};
  const double scaled = sum * static_cast<double>(inverse_scales_[token]);
  return {scaled, 1e-6 * std::fabs(scaled)};
}

}  // namespace rsr::cli
