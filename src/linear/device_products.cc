// Products on a device: checks, and the operations of src/cuda that a product is made of.
#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "base/check.h"
#include "linear/device_context.h"
#include "linear/device_weight.h"
#include "linear/lengths.h"

namespace rsr {
namespace {

using base::error;
using cuda::Operations;

// Vectors of one pass at most, which bounds scratch memory. Tensor cores are busy long before.
constexpr int64_t kMostAtOnce = 4096;

/// From one int8 vector to the next: zeros behind it up to whole lines of every format.
int64_t int8_stride(int64_t cols) {
  constexpr int64_t kWidestLine = 32;
  constexpr int64_t kStep = 16;
  return (cols + kWidestLine - 1 + kStep - 1) / kStep * kStep;
}

/// Calls ask(first, count) for the vectors of a batch, some at a time.
template <class Ask>
Status in_passes(int64_t batch, const Ask& ask) {
  for (int64_t first = 0; first < batch; first += kMostAtOnce) {
    RSR_RETURN_IF_ERROR(ask(first, static_cast<int32_t>(std::min(kMostAtOnce, batch - first))));
  }
  return {};
}

/// A product of a call: its weight, and where all its results go.
struct Target {
  const DeviceWeight::Impl* weight;
  float* y = nullptr;  // or
  int32_t* sums = nullptr;

  /// From a vector of the batch on.
  cuda::PackedMatrix from(int64_t first) const {
    cuda::PackedMatrix m = weight->matrix;
    if (y != nullptr) m.y = y + first * m.stride;
    if (sums != nullptr) m.sums = sums + first * m.stride;
    return m;
  }
};

/// All products of int8 vectors that operation vectors has left. Neighbours of one format go in one
/// launch.
Status multiply_int8(cuda::Stream& stream, const cuda::Vectors& x, std::span<const Target> targets,
                     int64_t first) {
  cuda::Multiply p;
  p.x = x.q;
  p.x_stride = x.q_stride;
  p.batch = x.batch;
  p.x_sums = x.sums;
  p.token_scales = x.inverse_scales;
  for (const Target& target : targets) {
    const DeviceWeight::Impl& w = *target.weight;
    const bool joins =
        p.count < cuda::kMostMatrices && w.format == p.format && w.alphabet == p.alphabet;
    if (p.count > 0 && !joins) {
      RSR_RETURN_IF_ERROR(stream.run(&Operations::multiply, p));
      p.count = 0;
    }
    p.format = w.format;
    p.alphabet = w.alphabet;
    p.matrices[p.count++] = target.from(first);
  }
  return stream.run(&Operations::multiply, p);
}

/// Operation vectors for `batch` vectors at most, with its results in scratch memory.
Result<cuda::Vectors> vectors_in_scratch(DeviceContext::Impl& context, int64_t batch,
                                         int64_t cols) {
  RSR_ASSIGN_OR_RETURN(std::byte * scratch,
                       context.scratch(DeviceContext::scratch_bytes(batch, cols)));
  const int64_t most = std::min(batch, kMostAtOnce);
  cuda::Vectors p;
  p.cols = static_cast<int32_t>(cols);
  p.q = reinterpret_cast<int8_t*>(scratch);
  p.q_stride = int8_stride(cols);
  p.sums = reinterpret_cast<int32_t*>(scratch + most * p.q_stride);
  p.inverse_scales = reinterpret_cast<float*>(p.sums + most);
  return p;
}

cuda::FloatType type_of(const DeviceFloats& x) {
  constexpr cuda::FloatType kTypes[] = {cuda::FloatType::f32, cuda::FloatType::f16,
                                        cuda::FloatType::bf16};
  return kTypes[static_cast<int>(x.type)];
}

/// The element `at` of x.
const void* element(const DeviceFloats& x, int64_t at) {
  const int64_t bytes = x.type == DeviceFloats::Type::f32 ? 4 : 2;
  return static_cast<const std::byte*>(x.data) + at * bytes;
}

/// Lengths and device of a product; gives the number of vectors.
Result<int64_t> check_product(const DeviceContext& context, const DeviceWeight& weight,
                              size_t x_size, size_t y_size) {
  const cuda::Device& here = context.impl().stream.device();
  const cuda::Device& there = weight.impl().device;
  if (&here.backend() != &there.backend() || here.index() != there.index()) {
    return error(ErrorCode::invalid_argument, "weight: it is on ", there.describe(),
                 ", the context on ", here.describe());
  }
  return linear::check_lengths(weight, x_size, y_size);
}

/// The same for all products of a call, which name the one that is wrong.
Status check_products(const DeviceContext& context, std::span<const DeviceProduct> products,
                      const DeviceFloats& x) {
  if (products.empty()) return error(ErrorCode::invalid_argument, "products: there are none");
  for (size_t i = 0; i < products.size(); ++i) {
    const std::string name = "products[" + std::to_string(i) + "]";
    const auto& [weight, y] = products[i];
    if (weight == nullptr) return error(ErrorCode::invalid_argument, name, ": no weight");
    if (weight->cols() != products[0].weight->cols()) {
      return error(ErrorCode::invalid_argument, name, ": ", weight->cols(),
                   " columns, the first weight has ", products[0].weight->cols());
    }
    const auto batch = check_product(context, *weight, static_cast<size_t>(x.count), y.size());
    if (!batch.ok()) return batch.status().with_context(name);
  }
  return {};
}

}  // namespace

int64_t DeviceContext::scratch_bytes(int64_t batch, int64_t cols) {
  const auto sum_and_scale = static_cast<int64_t>(sizeof(int32_t) + sizeof(float));
  return std::min(batch, kMostAtOnce) * (int8_stride(cols) + sum_and_scale);
}

Status multiply_quantised(const DeviceContext& context, std::span<const DeviceProduct> products,
                          const DeviceFloats& x) {
  RSR_RETURN_IF_ERROR(check_products(context, products, x));
  std::vector<Target> targets;
  targets.reserve(products.size());
  for (const DeviceProduct& product : products) {
    targets.push_back({&product.weight->impl(), product.y.data()});
  }
  const int64_t cols = products[0].weight->cols();
  const int64_t batch = x.count / cols;
  DeviceContext::Impl& impl = context.impl();
  const std::lock_guard lock(impl.mutex);
  RSR_ASSIGN_OR_RETURN(cuda::Vectors p, vectors_in_scratch(impl, batch, cols));
  p.type = type_of(x);
  return in_passes(batch, [&](int64_t first, int32_t count) -> Status {
    p.floats = element(x, first * cols);
    p.batch = count;
    RSR_RETURN_IF_ERROR(impl.stream.run(&Operations::vectors, p));
    return multiply_int8(impl.stream, p, targets, first);
  });
}

Status multiply(const DeviceContext& context, const DeviceWeight& weight, std::span<const int8_t> x,
                std::span<int32_t> y) {
  const DeviceWeight::Impl& w = weight.impl();
  if (w.matrix.group_lines > 0) {
    return error(ErrorCode::invalid_argument,
                 "weight: it has group scales, which an integer product cannot carry");
  }
  RSR_ASSIGN_OR_RETURN(const int64_t batch, check_product(context, weight, x.size(), y.size()));
  DeviceContext::Impl& impl = context.impl();
  const std::lock_guard lock(impl.mutex);
  RSR_ASSIGN_OR_RETURN(cuda::Vectors p, vectors_in_scratch(impl, batch, w.cols));
  p.inverse_scales = nullptr;
  const std::array<Target, 1> target = {Target{&w, nullptr, y.data()}};
  return in_passes(batch, [&](int64_t first, int32_t count) -> Status {
    p.integers = x.data() + first * w.cols;
    p.batch = count;
    RSR_RETURN_IF_ERROR(impl.stream.run(&Operations::vectors, p));
    return multiply_int8(impl.stream, p, target, first);
  });
}

Status multiply(const DeviceContext& context, const DeviceWeight& weight, const DeviceFloats& x,
                std::span<float> y) {
  const DeviceWeight::Impl& w = weight.impl();
  if (w.format == matrix::Format::t5) {
    return error(ErrorCode::unsupported,
                 "weight: a compact one has products of int8 and quantised vectors only");
  }
  RSR_ASSIGN_OR_RETURN(const int64_t batch,
                       check_product(context, weight, static_cast<size_t>(x.count), y.size()));
  DeviceContext::Impl& impl = context.impl();
  const std::lock_guard lock(impl.mutex);
  const Target target = {&w, y.data()};
  return in_passes(batch, [&](int64_t first, int32_t count) -> Status {
    cuda::Floats p;
    p.format = w.format;
    p.alphabet = w.alphabet;
    p.w = target.from(first);
    p.x_type = type_of(x);
    p.x = element(x, first * w.cols);
    p.x_stride = w.cols;
    p.cols = static_cast<int32_t>(w.cols);
    p.batch = count;
    RSR_RETURN_IF_ERROR(impl.stream.run(&Operations::floats, p));
    return impl.stream.run(&Operations::spoil,
                           cuda::Spoil{p.x, p.x_type, p.cols, count, p.w.y, p.w.rows});
  });
}

}  // namespace rsr
