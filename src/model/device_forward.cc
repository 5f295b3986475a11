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
  if (tile.states == 0) return {};
  if (tile.way.has_value()) return choose_tokens(tile);
  RSR_RETURN_IF_ERROR(multiply_head(tile));
  return copy_logits(tile);
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
  cuda::Attend attend = {b_.queries.as<float>(),
                         b_.mixed.as<float>(),
                         heads,
                         tile.batch,
                         start,
                         tile.chunks,
                         b_.states.as<float>(),
                         static_cast<int32_t>(state_tokens_),
                         b_.arrived.as<int32_t>(),
                         kv};
  const cuda::RopeAppend append = {b_.queries.as<float>(),
                                   b_.keys.as<float>(),
                                   b_.values.as<float>(),
                                   heads,
                                   tile.batch,
                                   start,
                                   cosine_.as<float>(),
                                   sine_.as<float>(),
                                   kv};
  if (tile.batch == 1) {  // one operation does both
    attend.keys = append.keys;
    attend.values = append.values;
    attend.cosine = append.cosine;
    attend.sine = append.sine;
  } else {
    RSR_RETURN_IF_ERROR(stream_.run(&Operations::rope_append, append));
  }
  RSR_RETURN_IF_ERROR(stream_.run(&Operations::attend, attend));
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
  const GateAndUp both = {Output{&layer.at(gate), gated}, Output{&layer.at(up), b_.up.as<float>()}};
  const cuda::NormOutputs inner =
      outputs(layer.ffn_sub_norm.as<float>(), c.intermediate_size, gated, read_int8(layer, {down}));
  RSR_RETURN_IF_ERROR(multiply_gated(tile, normed, both, inner));
  const Output to_hidden = {&layer.at(down), normed};
  RSR_RETURN_IF_ERROR(multiply(tile, gated, {&to_hidden, 1}));
  const cuda::Norm sum = {normed, b_.hidden.as<float>(), static_cast<int32_t>(c.hidden_size),
                          tile.batch, outputs(next.weight, c.hidden_size, normed, next.int8)};
  return stream_.run(&Operations::norm, sum);
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

}  // namespace rsr::model
