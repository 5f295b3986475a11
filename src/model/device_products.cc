// The products of a pass on a device: which linears go together, and what each reads.
#include <array>
#include <cstddef>

#include "base/check.h"
#include "model/device_sequence.h"

namespace rsr::model {

using cuda::Operations;

/// Linears of int8 vectors without norms of their own, of one format, go together.
bool DeviceSequence::goes_with(const DeviceLinear& linear, const cuda::Multiply& others) {
  return linear.input() == DeviceInput::int8 && linear.norm() == nullptr &&
         (others.count == 0 ||
          (linear.format() == others.format && linear.alphabet() == others.alphabet));
}

/// Those that go together are first: what they read has been quantised by the norm in front, and
/// others may need that memory.
Status DeviceSequence::multiply(const Tile& tile, const float* x, std::span<const Output> outputs) {
  cuda::Multiply together = int8_product(tile);
  std::array<const Output*, cuda::kMostMatrices> alone = {};
  size_t left = 0;
  for (const Output& output : outputs) {
    if (goes_with(*output.linear, together)) {
      add(*output.linear, output.y, &together);
    } else {
      alone[left++] = &output;
    }
  }
  if (together.count > 0) RSR_RETURN_IF_ERROR(stream_.run(&Operations::multiply, together));
  for (size_t i = 0; i < left; ++i) RSR_RETURN_IF_ERROR(multiply_alone(tile, x, *alone[i]));
  return {};
}

/// The activation takes place in the product where that can do both.
Status DeviceSequence::multiply_gated(const Tile& tile, const float* x, const GateAndUp& both,
                                      const cuda::NormOutputs& out) {
  const ModelConfig& c = model_.config;
  const auto activation =
      c.activation == Activation::relu2 ? cuda::GateActivation::relu2 : cuda::GateActivation::silu;
  const auto cols = static_cast<int32_t>(c.intermediate_size);
  const auto& [gate, up] = both;
  cuda::Multiply together = int8_product(tile);
  if (goes_with(*gate.linear, together)) add(*gate.linear, gate.y, &together);
  if (goes_with(*up.linear, together)) add(*up.linear, up.y, &together);
  if (!cuda::can_gate(together)) {
    RSR_RETURN_IF_ERROR(multiply(tile, x, both));
    return stream_.run(&Operations::gate,
                       cuda::Gate{gate.y, up.y, activation, cols, tile.batch, out});
  }
  together.gated = true;
  together.activation = activation;
  RSR_RETURN_IF_ERROR(stream_.run(&Operations::multiply, together));
  return stream_.run(&Operations::norm, cuda::Norm{gate.y, nullptr, cols, tile.batch, out});
}

/// The vectors that were quantised last, and no matrix yet.
cuda::Multiply DeviceSequence::int8_product(const Tile& tile) const {
  cuda::Multiply p;
  p.x = b_.int8.as<int8_t>();
  p.batch = tile.batch;
  p.x_sums = b_.int8_sums.as<int32_t>();
  p.token_scales = b_.int8_scales.as<float>();
  return p;
}

void DeviceSequence::add(const DeviceLinear& linear, float* y, cuda::Multiply* p) {
  p->format = linear.format();
  p->alphabet = linear.alphabet();
  p->x_stride = int8_stride(linear.cols());
  p->matrices[p->count++] = linear.packed(y);
}

Status DeviceSequence::multiply_alone(const Tile& tile, const float* x, const Output& output) {
  const DeviceLinear& linear = *output.linear;
  const bool int8 = linear.input() == DeviceInput::int8;
  if (linear.norm() != nullptr) {
    auto* own = b_.linear_normed.as<float>();
    cuda::Norm norm = {x, nullptr, static_cast<int32_t>(linear.cols()), tile.batch,
                       outputs(linear.norm(), linear.cols(), own, int8)};
    norm.out.eps = linear.norm_eps();
    RSR_RETURN_IF_ERROR(stream_.run(&Operations::norm, norm));
    x = own;
  }
  if (int8) {
    cuda::Multiply p = int8_product(tile);
    add(linear, output.y, &p);
    return stream_.run(&Operations::multiply, p);
  }
  if (linear.dense()) {
    cuda::Dense dense = linear.dense_rows(output.y);
    dense.x = x;
    dense.batch = tile.batch;
    return stream_.run(&Operations::dense, dense);
  }
  cuda::Floats p;
  p.format = linear.format();
  p.alphabet = linear.alphabet();
  p.w = linear.packed(output.y);
  p.x = x;
  p.x_stride = linear.cols();
  p.cols = static_cast<int32_t>(linear.cols());
  p.batch = tile.batch;
  return stream_.run(&Operations::floats, p);
}

}  // namespace rsr::model
