// Products of prepared matrices: checks and scales around linear/product.h.
#include <array>
#include <bit>
#include <cmath>

#include "base/check.h"
#include "linear/lengths.h"
#include "linear/linear.h"
#include "linear/packed_product.h"
#include "linear/quantised_vectors.h"
#include "linear/rsr_product.h"
#include "linear/weight.h"

namespace rsr {
namespace {

using base::error;
using linear::Batch;
using linear::check_lengths;
using linear::PackedProduct;
using linear::RsrWeight;
using matrix::Packed;

/// RSR on int8 rows: calls receive(segment, token, rows, sums).
template <class Receive>
void rsr_sums(Context::Impl& context, const RsrWeight& weight, Batch<int8_t> x,
              const Receive& receive) {
  x.sums = linear::segment_sums(context, weight.layout(),
                                {x.x, x.stride, weight.layout().cols(), 0, x.batch, nullptr});
  linear::for_each_sum(context, weight, x, context.y_i32, receive);
}

/// Writes y[token, r] from sums: y = sums * factor * scale, or y += for later segments.
template <class Sum>
void apply_scales(const linear::Scales& scales, int64_t segment, base::Range rows, float factor,
                  const Sum* sums, float* y) {
  for (int64_t r = rows.begin; r < rows.end; ++r) {
    const float value = static_cast<float>(sums[r]) * factor;
    if (!scales.grouped()) {
      y[r] = value * scales.row(r);
    } else {
      const float scaled = value * scales.group(r, segment);
      y[r] = segment == 0 ? scaled : y[r] + scaled;
    }
  }
}

/// y = scaled RSR product of quantised inputs.
void multiply_rsr(Context::Impl& context, const Weight::Impl& w, const linear::Activations& x,
                  float* y) {
  rsr_sums(context, std::get<RsrWeight>(w.packed), {x.values(), x.stride(), x.batch(), nullptr},
           [&](int64_t segment, int64_t token, base::Range rows, const int32_t* sums) {
             apply_scales(w.scales, segment, rows, x.inverse_scales()[token], sums,
                          y + token * w.rows);
           });
}

}  // namespace

Status multiply(const Context& context, const Weight& weight, std::span<const float> x,
                std::span<float> y) {
  RSR_ASSIGN_OR_RETURN(const int64_t batch, check_lengths(weight, x.size(), y.size()));
  RSR_RETURN_IF_ERROR(linear::check_finite(x, weight.cols()));
  const std::lock_guard lock(context.impl().mutex);
  linear::multiply(context.impl(), weight, x.data(), batch, y.data());
  return {};
}

Status multiply(const Context& context, const Weight& weight, std::span<const int8_t> x,
                std::span<int32_t> y) {
  const Weight::Impl& w = weight.impl();
  if (w.scales.grouped()) {
    return error(ErrorCode::invalid_argument,
                 "weight: it has group scales, which an integer product cannot carry");
  }
  RSR_ASSIGN_OR_RETURN(const int64_t batch, check_lengths(weight, x.size(), y.size()));
  Context::Impl& impl = context.impl();
  const std::lock_guard lock(impl.mutex);
  if (const auto* packed = std::get_if<Packed>(&w.packed)) {
    const PackedProduct product{packed, nullptr, y.data(), nullptr, weight.batch_index()};
    linear::multiply_packed(impl, {&product, 1}, {x.data(), w.cols, w.cols, w.cols, batch, nullptr},
                            nullptr);
    return {};
  }
  rsr_sums(impl, std::get<RsrWeight>(w.packed), {x.data(), w.cols, batch, nullptr},
           [&](int64_t, int64_t token, base::Range rows, const int32_t* sums) {
             std::copy(sums + rows.begin, sums + rows.end, y.data() + token * w.rows + rows.begin);
           });
  return {};
}

Status multiply_quantised(const Context& context, std::span<const Product> products,
                          std::span<const float> x) {
  if (products.empty()) return error(ErrorCode::invalid_argument, "products: there are none");
  for (size_t i = 0; i < products.size(); ++i) {
    const std::string name = "products[" + std::to_string(i) + "]";
    if (products[i].weight == nullptr) {
      return error(ErrorCode::invalid_argument, name, ": no weight");
    }
    if (products[i].weight->cols() != products[0].weight->cols()) {
      return error(ErrorCode::invalid_argument, name, ": ", products[i].weight->cols(),
                   " columns, the first weight has ", products[0].weight->cols());
    }
    const auto batch = check_lengths(*products[i].weight, x.size(), products[i].y.size());
    if (!batch.ok()) return batch.status().with_context(name);
  }
  const int64_t cols = products[0].weight->cols();
  RSR_RETURN_IF_ERROR(linear::check_finite(x, cols));
  Context::Impl& impl = context.impl();
  const std::lock_guard lock(impl.mutex);
  impl.quantised.quantize(impl, x.data(), static_cast<int64_t>(x.size()) / cols, cols);
  linear::multiply(impl, products, impl.quantised);
  return {};
}

int64_t QuantisedVectors::batch() const {
  return impl_->vectors.batch();
}

int64_t QuantisedVectors::cols() const {
  return impl_->vectors.cols();
}

Result<QuantisedVectors> quantise(const Context& context, std::span<const float> x, int64_t cols) {
  if (cols < 1) {
    return error(ErrorCode::invalid_argument, "cols: ", cols, "; there must be at least 1");
  }
  RSR_ASSIGN_OR_RETURN(const int64_t batch, linear::check_x(x.size(), cols, "the"));
  RSR_RETURN_IF_ERROR(linear::check_finite(x, cols));
  auto made = std::make_shared<QuantisedVectors::Impl>();
  const std::lock_guard lock(context.impl().mutex);
  made->vectors.quantize(context.impl(), x.data(), batch, cols);
  return QuantisedVectors(std::move(made));
}

Status multiply(const Context& context, const Weight& weight, const QuantisedVectors& x,
                std::span<float> y) {
  if (x.cols() != weight.cols()) {
    return error(ErrorCode::invalid_argument, "x: vectors of ", x.cols(),
                 " columns; the matrix has ", weight.cols());
  }
  RSR_RETURN_IF_ERROR(linear::check_y(y.size(), x.batch(), weight.rows()));
  const std::lock_guard lock(context.impl().mutex);
  linear::multiply(context.impl(), weight, x.impl().vectors, y.data());
  return {};
}

namespace linear {

Status check_finite(std::span<const float> x, int64_t cols) {
  // One pass without branches, which compilers vectorise: all exponent bits set means not finite.
  constexpr uint32_t kExponent = 0x7F800000;
  uint32_t bad = 0;
  for (const float v : x) bad |= (std::bit_cast<uint32_t>(v) & kExponent) == kExponent;
  if (bad == 0) return {};
  for (size_t i = 0; i < x.size(); ++i) {
    if (std::isfinite(x[i])) continue;
    const auto at = static_cast<int64_t>(i);
    return error(ErrorCode::invalid_argument, "x: row ", at / cols, ", column ", at % cols, " is ",
                 x[i], "; inputs must be finite");
  }
  return {};
}

void multiply(Context::Impl& context, std::span<const Product> products, const Activations& x) {
  const RowsI8 rows{x.values(), x.stride(), x.cols(), x.stride(), x.batch(), x.sums()};
  std::array<PackedProduct, kProductsAtOnce> packed;
  size_t count = 0;
  const auto flush = [&] {
    multiply_packed(context, std::span(packed).first(count), rows, x.inverse_scales());
    count = 0;
  };
  for (const Product& product : products) {
    RSR_CHECK_OP(x.cols(), ==, product.weight->cols());
    const Weight::Impl& w = product.weight->impl();
    const auto* matrix = std::get_if<Packed>(&w.packed);
    if (matrix == nullptr) {
      multiply_rsr(context, w, x, product.y.data());
      continue;
    }
    packed[count++] = {matrix, &w.scales, nullptr, product.y.data(), product.weight->batch_index()};
    if (count == packed.size()) flush();
  }
  flush();
}

void multiply(Context::Impl& context, const Weight& weight, const Activations& x, float* y) {
  const Product product{&weight, {y, static_cast<size_t>(x.batch() * weight.rows())}};
  multiply(context, {&product, 1}, x);
}

void multiply(Context::Impl& context, const Weight& weight, const float* x, int64_t batch,
              float* y) {
  const Weight::Impl& w = weight.impl();
  if (const auto* packed = std::get_if<Packed>(&w.packed)) {
    return multiply_packed(context, {packed, &w.scales, nullptr, y, weight.batch_index()}, x,
                           batch);
  }
  linear::for_each_sum(context, std::get<RsrWeight>(w.packed), Batch<float>{x, w.cols, batch, {}},
                       context.y_f32,
                       [&](int64_t segment, int64_t token, base::Range rows, const float* sums) {
                         apply_scales(w.scales, segment, rows, 1.0f, sums, y + token * w.rows);
                       });
}

void multiply_dense(Context::Impl& context, const Dense& dense, const float* x, int64_t batch,
                    float* y) {
  const kernels::Dense16F32 p{dense.weight, dense.cols, x, batch, y, dense.rows};
  const bool bf16 = dense.format == Float16::bf16;
  const auto* kernel = bf16 ? context.kernels.dense_bf16 : context.kernels.dense_f16;
  context.pool.parallel_for(
      dense.rows, [&](base::Range rows) { kernel->function(p, rows.begin, rows.end); },
      kWorthAThread / (dense.cols * batch) + 1);
}

}  // namespace linear
}  // namespace rsr
