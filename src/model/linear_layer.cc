#include "model/linear_layer.h"

#include <array>
#include <functional>

#include "base/check.h"
#include "model/ops.h"

namespace rsr::model {
namespace {

/// Calls one of two functions: with the ternary weight, or with the dense table.
template <class OfTernary, class OfDense>
auto visit(const Linear& linear, const OfTernary& of_ternary, const OfDense& of_dense) {
  if (const auto* int8 = std::get_if<Int8Ternary>(&linear.matrix)) return of_ternary(int8->weight);
  if (const auto* floats = std::get_if<FloatTernary>(&linear.matrix)) {
    return of_ternary(floats->weight);
  }
  return of_dense(std::get<DenseTable>(linear.matrix));
}

}  // namespace

int64_t Linear::rows() const {
  return visit(
      *this, [](const Weight& weight) { return weight.rows(); },
      [](const DenseTable& table) { return table.view.rows; });
}

int64_t Linear::cols() const {
  return visit(
      *this, [](const Weight& weight) { return weight.cols(); },
      [](const DenseTable& table) { return table.view.cols; });
}

int64_t Linear::bytes() const {
  return visit(
      *this, [](const Weight& weight) { return weight.nbytes(); },
      [](const DenseTable& table) { return table.bytes(); });
}

double Linear::zero_share() const {
  return visit(
      *this, [](const Weight& weight) { return linear::zero_share(weight); },
      [](const DenseTable&) { return 0.0; });
}

std::string Linear::notice() const {
  return visit(
      *this, [](const Weight& weight) { return weight.notice(); },
      [](const DenseTable&) { return std::string(); });
}

std::string Linear::explain_kernel(const Context::Impl& context) const {
  if (const auto* int8 = std::get_if<Int8Ternary>(&matrix)) {
    return linear::explain_kernel(context, int8->weight);
  }
  if (const auto* floats = std::get_if<FloatTernary>(&matrix)) {
    return linear::explain_kernel(context, floats->weight, Inputs::floats);
  }
  return linear::explain_kernel(context, std::get<DenseTable>(matrix).view);
}

void LinearInput::set(const float* x, int64_t batch, int64_t cols) {
  x_ = x;
  batch_ = batch;
  cols_ = cols;
  quantised_ = false;
}

const float* LinearInput::normed(Context::Impl& context, const Linear& linear) {
  if (linear.norm.empty()) return x_;
  normed_.reserve_discard(static_cast<size_t>(batch_ * cols_));
  const auto rows = [&](base::Range tokens) {
    for (int64_t t = tokens.begin; t < tokens.end; ++t) {
      const int64_t at = t * cols_;
      rms_norm(x_ + at, linear.norm, linear.norm_eps, normed_.data() + at);
    }
  };
  // Like any other norm; by reference, so that nothing is allocated.
  context.pool.parallel_for(batch_, std::cref(rows), 1 + kWorkPerThread / cols_);
  return normed_.data();
}

void LinearInput::multiply_alone(Context::Impl& context, const Linear& linear, float* y) {
  const float* x = normed(context, linear);
  if (const auto* int8 = std::get_if<Int8Ternary>(&linear.matrix)) {
    int8_.quantize(context, x, batch_, cols_);
    quantised_ = false;  // it is the normed x that was quantised
    linear::multiply(context, int8->weight, int8_, y);
  } else if (const auto* floats = std::get_if<FloatTernary>(&linear.matrix)) {
    linear::multiply(context, floats->weight, x, batch_, y);
  } else {
    linear::multiply_dense(context, std::get<DenseTable>(linear.matrix).view, x, batch_, y);
  }
}

void LinearInput::multiply(Context::Impl& context, std::span<const Output> outputs) {
  constexpr size_t kMost = 3;  // q, k and v
  std::array<Product, kMost> products;
  size_t count = 0;
  RSR_CHECK_OP(outputs.size(), <=, kMost);
  for (const auto& [linear, y] : outputs) {
    RSR_CHECK_OP(linear->cols(), ==, cols_);
    const auto* int8 = std::get_if<Int8Ternary>(&linear->matrix);
    if (int8 != nullptr && linear->norm.empty()) {
      products[count++] = {&int8->weight, {y, static_cast<size_t>(batch_ * linear->rows())}};
    }
  }
  if (count > 0) {
    if (!quantised_) int8_.quantize(context, x_, batch_, cols_);
    quantised_ = true;
    linear::multiply(context, std::span(products).first(count), int8_);
  }
  for (const auto& [linear, y] : outputs) {
    const bool done = std::holds_alternative<Int8Ternary>(linear->matrix) && linear->norm.empty();
    if (!done) multiply_alone(context, *linear, y);
  }
}

}  // namespace rsr::model
