// The pass through the model on a device, operation by operation; forward.cc is the host's.
#include <algorithm>
#include <array>
#include <cstddef>
#include <initializer_list>

#include "base/check.h"
#include "model/device_sequence.h"

namespace rsr::model {

using cuda::Operations;

namespace {

using enum Projection;

/// Whether one of these linears reads what the norm in front of it leaves in int8.
bool read_int8(const DeviceLayer& layer, std::initializer_list<Projection> readers) {
  return std::any_of(readers.begin(), readers.end(), [&](Projection reader) {
    return layer.at(reader).input() == DeviceInput::int8 && layer.at(reader).norm() == nullptr;
  });
}

}  // namespace

Status DeviceSequence::ask(const Tile& tile) {
  const ModelConfig& c = model_.config;
  auto* control = b_.control.as<int32_t>();
  RSR_RETURN_IF_ERROR(copy_control(tile));
  const auto cols = static_cast<int32_t>(c.hidden_size);
  RSR_RETURN_IF_ERROR(stream_.run(
      &Operations::embed, cuda::Embed{device_->embedding.rows, device_->embedding.is_f16,
                                      control + 1, cols, tile.batch, b_.hidden.as<float>()}));
  const std::vector<DeviceLayer>& layers = device_->layers;
  const cuda::Norm first = {b_.hidden.as<float>(), nullptr, cols, tile.batch,
                            outputs(layers.front().input_norm.as<float>(), c.hidden_size,
                                    b_.normed.as<float>(), read_int8(layers.front(), {q, k, v}))};
  RSR_RETURN_IF_ERROR(stream_.run(&Operations::norm, first));
  for (size_t i = 0; i < layers.size(); ++i) {
    RSR_RETURN_IF_ERROR(attention(tile, layers[i], static_cast<int64_t>(i)));
    const bool last = i + 1 == layers.size();
    const float* next_norm = (last ? device_->final_norm : layers[i + 1].input_norm).as<float>();
    const bool int8 = !last && read_int8(layers[i + 1], {q, k, v});
    RSR_RETURN_IF_ERROR(feed_forward(tile, layers[i], {next_norm, int8}));
  }
  if (tile.choice) return choose_token(tile);
  return tile.states > 0 ? head(tile) : Status();
}

Status DeviceSequence::attention(const Tile& tile, const DeviceLayer& layer, int64_t index) {
  const ModelConfig& c = model_.config;
  const std::array<Output, 3> qkv = {Output{&layer.at(q), b_.queries.as<float>()},
                                     Output{&layer.at(k), b_.keys.as<float>()},
                                     Output{&layer.at(v), b_.values.as<float>()}};
  RSR_RETURN_IF_ERROR(multiply(tile, b_.normed.as<float>(), qkv));
  const auto heads = static_cast<int32_t>(c.num_heads);
  const auto* start = b_.control.as<int32_t>();
  const cuda::KvHeads kv = kv_heads(index);
  RSR_RETURN_IF_ERROR(stream_.run(
      &Operations::rope_append,
      cuda::RopeAppend{b_.queries.as<float>(), b_.keys.as<float>(), b_.values.as<float>(), heads,
                       tile.batch, start, cosine_.as<float>(), sine_.as<float>(), kv}));
  RSR_RETURN_IF_ERROR(
      stream_.run(&Operations::attend,
                  cuda::Attend{b_.queries.as<float>(), b_.mixed.as<float>(), heads, tile.batch,
                               start, tile.chunks, b_.states.as<float>(), kv}));
  auto* mixed = b_.mixed.as<float>();
  const cuda::Norm sub = {
      mixed, nullptr, static_cast<int32_t>(c.q_dim()), tile.batch,
      outputs(layer.attn_sub_norm.as<float>(), c.q_dim(), mixed, read_int8(layer, {o}))};
  RSR_RETURN_IF_ERROR(stream_.run(&Operations::norm, sub));
  const Output to_hidden = {&layer.at(o), b_.normed.as<float>()};
  RSR_RETURN_IF_ERROR(multiply(tile, mixed, {&to_hidden, 1}));
  const cuda::Norm next = {b_.normed.as<float>(), b_.hidden.as<float>(),
                           static_cast<int32_t>(c.hidden_size), tile.batch,
                           outputs(layer.attention_norm.as<float>(), c.hidden_size,
                                   b_.normed.as<float>(), read_int8(layer, {gate, up}))};
  return stream_.run(&Operations::norm, next);
}

Status DeviceSequence::feed_forward(const Tile& tile, const DeviceLayer& layer,
                                    const NextNorm& next) {
  const ModelConfig& c = model_.config;
  auto* gated = b_.gate.as<float>();
  auto* normed = b_.normed.as<float>();
  const std::array<Output, 2> both = {Output{&layer.at(gate), gated},
                                      Output{&layer.at(up), b_.up.as<float>()}};
  RSR_RETURN_IF_ERROR(multiply(tile, normed, both));
  const auto activation =
      c.activation == Activation::relu2 ? cuda::GateActivation::relu2 : cuda::GateActivation::silu;
  const cuda::Gate p = {gated,
                        b_.up.as<float>(),
                        activation,
                        static_cast<int32_t>(c.intermediate_size),
                        tile.batch,
                        outputs(layer.ffn_sub_norm.as<float>(), c.intermediate_size, gated,
                                read_int8(layer, {down}))};
  RSR_RETURN_IF_ERROR(stream_.run(&Operations::gate, p));
  const Output to_hidden = {&layer.at(down), normed};
  RSR_RETURN_IF_ERROR(multiply(tile, gated, {&to_hidden, 1}));
  const cuda::Norm sum = {normed, b_.hidden.as<float>(), static_cast<int32_t>(c.hidden_size),
                          tile.batch, outputs(next.weight, c.hidden_size, normed, next.int8)};
  return stream_.run(&Operations::norm, sum);
}

Status DeviceSequence::head(const Tile& tile) {
  const ModelConfig& c = model_.config;
  cuda::Dense dense;
  dense.w = device_->head.rows;
  dense.is_f16 = device_->head.is_f16;
  dense.rows = static_cast<int32_t>(c.vocab_size);
  dense.cols = static_cast<int32_t>(c.hidden_size);
  dense.x = b_.normed.as<float>() + (tile.batch - tile.states) * c.hidden_size;
  dense.batch = static_cast<int32_t>(tile.states);
  dense.y = b_.logits.as<float>();
  dense.stride = c.vocab_size;
  RSR_RETURN_IF_ERROR(stream_.run(&Operations::dense, dense));
  return stream_.copy_to_host(logits_.as<float>() + tile.row * c.vocab_size, dense.y,
                              static_cast<size_t>(tile.states * c.vocab_size) * sizeof(float));
}

cuda::NormOutputs DeviceSequence::outputs(const float* weight, int64_t cols, float* y,
                                          bool quantised) const {
  cuda::NormOutputs out;
  out.weight = weight;
  out.eps = model_.config.rms_norm_eps;
  out.y = y;
  if (!quantised) return out;
  out.q = b_.int8.as<int8_t>();
  out.q_stride = int8_stride(cols);
  out.sums = b_.int8_sums.as<int32_t>();
  out.inverse_scales = b_.int8_scales.as<float>();
  return out;
}

cuda::KvHeads DeviceSequence::kv_heads(int64_t layer) const {
  cuda::KvHeads kv = kv_;
  kv.data += layer * layer_bytes_;
  return kv;
}

/// Linears of int8 vectors without norms of their own, of one format, go together, and first: what
/// they read has been quantised by the norm in front, and others may need that memory.
Status DeviceSequence::multiply(const Tile& tile, const float* x, std::span<const Output> outputs) {
  cuda::Multiply together = int8_product(tile);
  const auto joins = [&](const DeviceLinear& linear) {
    return linear.input() == DeviceInput::int8 && linear.norm() == nullptr &&
           (together.count == 0 ||
            (linear.format() == together.format && linear.alphabet() == together.alphabet));
  };
  std::array<const Output*, cuda::kMostMatrices> alone = {};
  size_t left = 0;
  for (const Output& output : outputs) {
    if (joins(*output.linear)) {
      add(*output.linear, output.y, &together);
    } else {
      alone[left++] = &output;
    }
  }
  if (together.count > 0) RSR_RETURN_IF_ERROR(stream_.run(&Operations::multiply, together));
  for (size_t i = 0; i < left; ++i) RSR_RETURN_IF_ERROR(multiply_alone(tile, x, *alone[i]));
  return {};
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
