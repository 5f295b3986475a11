// Products of prepared matrices: checks and scales around linear/product.h.
#include <bit>
#include <cmath>

#include "base/check.h"
#include "kernels/dense/list.h"
#include "linear/linear.h"
#include "linear/product.h"
#include "linear/weight.h"

namespace rsr {
namespace {

using base::error;
using linear::Batch;
using linear::ColumnLayout;

Result<int64_t> check_lengths(const Weight& weight, size_t x_size, size_t y_size) {
  const auto x_count = static_cast<int64_t>(x_size);
  const auto y_count = static_cast<int64_t>(y_size);
  if (x_count == 0 || x_count % weight.cols() != 0) {
    return error(ErrorCode::invalid_argument, "x: ", x_count,
                 " elements are not a positive multiple of the matrix's ", weight.cols(),
                 " columns");
  }
  const int64_t batch = x_count / weight.cols();
  if (y_count != batch * weight.rows()) {
    return error(ErrorCode::invalid_argument, "y: ", y_count, " elements; a batch of ", batch,
                 " and ", weight.rows(), " rows need exactly ", batch * weight.rows());
  }
  return batch;
}

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

/// The batch in the padded layout of a packed matrix, in `scratch`.
template <class X>
Batch<X> spread(const ColumnLayout& layout, const X* x, int64_t x_stride, int64_t batch,
                base::AlignedArray<X>& scratch) {
  const int64_t stride = layout.padded_cols();
  scratch.reserve_discard(batch * stride);
  for (int64_t t = 0; t < batch; ++t) {
    layout.spread(x + t * x_stride, scratch.data() + t * stride);
  }
  return {scratch.data(), stride, batch, nullptr};
}

/// Sums of each segment of int8 rows: [segments][batch].
const int32_t* segment_sums(const ColumnLayout& layout, const int8_t* x, int64_t x_stride,
                            int64_t batch, base::AlignedArray<int32_t>& scratch) {
  scratch.reserve_discard(layout.segments() * batch);
  for (int64_t s = 0; s < layout.segments(); ++s) {
    const base::Range columns = layout.columns(s);
    for (int64_t t = 0; t < batch; ++t) {
      int32_t sum = 0;
      for (int64_t c = columns.begin; c < columns.end; ++c) sum += x[t * x_stride + c];
      scratch[s * batch + t] = sum;
    }
  }
  return scratch.data();
}

/// Calls receive(segment, token, rows, sums) for the integer product with padded or plain int8
/// rows.
template <class Packed, class Receive>
void integer_sums(Context::Impl& context, const Packed& packed, int64_t rows, Batch<int8_t> x,
                  const Receive& receive) {
  const ColumnLayout& layout = packed.layout();
  if (x.sums == nullptr || layout.segments() > 1) {
    x.sums = segment_sums(layout, x.x, x.stride, x.batch, context.x_sums);
  }
  if (!layout.contiguous() || x.stride < layout.padded_cols()) {
    const int32_t* sums = x.sums;
    x = spread(layout, x.x, x.stride, x.batch, context.x_i8);
    x.sums = sums;
  }
  linear::for_each_sum(context, packed, rows, x, context.y_i32, receive);
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

template <class List>
std::string explain(const List& list, const char* format, base::Isa isa) {
  return std::string(kernels::best_kernel(list, isa).name) + ": the strongest kernel of format " +
         format + " for instruction set " + base::isa_name(isa);
}

}  // namespace

Status multiply(const Context& context, const Weight& weight, std::span<const float> x,
                std::span<float> y) {
  RSR_ASSIGN_OR_RETURN(const int64_t batch, check_lengths(weight, x.size(), y.size()));
  RSR_RETURN_IF_ERROR(check_finite(x, weight.cols()));
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
  std::visit(
      [&](const auto& packed) {
        integer_sums(impl, packed, w.rows, Batch<int8_t>{x.data(), w.cols, batch, nullptr},
                     [&](int64_t, int64_t token, base::Range rows, const int32_t* sums) {
                       std::copy(sums + rows.begin, sums + rows.end,
                                 y.data() + token * w.rows + rows.begin);
                     });
      },
      w.packed);
  return {};
}

namespace linear {

void multiply(Context::Impl& context, const Weight& weight, const Activations& x, float* y) {
  RSR_CHECK_OP(x.cols(), ==, weight.cols());
  const Weight::Impl& w = weight.impl();
  std::visit(
      [&](const auto& packed) {
        integer_sums(context, packed, w.rows,
                     Batch<int8_t>{x.values(), x.stride(), x.batch(), x.sums()},
                     [&](int64_t segment, int64_t token, base::Range rows, const int32_t* sums) {
                       apply_scales(w.scales, segment, rows, x.inverse_scales()[token], sums,
                                    y + token * w.rows);
                     });
      },
      w.packed);
}

void multiply(Context::Impl& context, const Weight& weight, const float* x, int64_t batch,
              float* y) {
  const Weight::Impl& w = weight.impl();
  std::visit(
      [&](const auto& packed) {
        const auto padded = spread(packed.layout(), x, w.cols, batch, context.x_f32);
        linear::for_each_sum(
            context, packed, w.rows, padded, context.y_f32,
            [&](int64_t segment, int64_t token, base::Range rows, const float* sums) {
              apply_scales(w.scales, segment, rows, 1.0f, sums, y + token * w.rows);
            });
      },
      w.packed);
}

void multiply_dense(Context::Impl& context, const Dense& dense, const float* x, int64_t batch,
                    float* y) {
  const kernels::Dense16F32 p{dense.weight, dense.cols, x, batch, y, dense.rows};
  const bool bf16 = dense.format == Float16::bf16;
  const auto& kernel = bf16 ? kernels::best_kernel(kernels::kDenseBf16F32, context.isa)
                            : kernels::best_kernel(kernels::kDenseF16F32, context.isa);
  context.pool.parallel_for(
      dense.rows, [&](base::Range rows) { kernel.function(p, rows.begin, rows.end); },
      linear::kWorthAThread / (dense.cols * batch) + 1);
}

std::string explain_kernel(const Context::Impl& context, const Weight& weight, Inputs inputs) {
  const bool int8 = inputs == Inputs::int8;
  if (std::holds_alternative<RsrWeight>(weight.impl().packed)) {
    return int8 ? explain(kernels::kMatvecGroupsI8, "groups", context.isa)
                : explain(kernels::kMatvecGroupsF32, "groups", context.isa);
  }
  return int8 ? explain(kernels::kMatvecT2I8, "t2", context.isa)
              : explain(kernels::kMatvecT2F32, "t2", context.isa);
}

std::string explain_kernel(const Context::Impl& context, const Dense& dense) {
  return dense.format == Float16::bf16 ? explain(kernels::kDenseBf16F32, "bf16", context.isa)
                                       : explain(kernels::kDenseF16F32, "f16", context.isa);
}

}  // namespace linear
}  // namespace rsr
