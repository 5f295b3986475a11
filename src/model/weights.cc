#include "model/weights.h"

#include <cmath>
#include <cstring>
#include <functional>
#include <new>
#include <optional>
#include <set>
#include <utility>

#include "base/check.h"
#include "model/ops.h"

namespace rsr::model {
namespace {

using base::error;
using io::Tensor;
using Shape = std::vector<int64_t>;

std::string shape_text(const Shape& shape) {
  std::string text = "[";
  for (const int64_t size : shape) {
    if (text.size() > 1) text += ", ";
    text += std::to_string(size);
  }
  return text + "]";
}

/// Name of a layer's tensor.
std::string layer_name(int64_t layer, const std::string& rest) {
  return "model.layers." + std::to_string(layer) + "." + rest;
}

Result<Tensor> require_shape(const io::TensorStore& store, const std::string& name,
                             const Shape& shape) {
  RSR_ASSIGN_OR_RETURN(Tensor tensor, store.require(name));
  if (tensor.shape != shape) {
    return error(ErrorCode::corrupt_data, name, ": is ", tensor.describe(),
                 ", config.json asks for ", shape_text(shape));
  }
  return tensor;
}

Result<std::vector<float>> load_norm(const io::TensorStore& store, const std::string& name,
                                     int64_t size) {
  RSR_ASSIGN_OR_RETURN(const Tensor tensor, require_shape(store, name, {size}));
  Result<std::vector<float>> values = io::to_floats(tensor);
  if (!values.ok()) return values.status().with_context(name);
  for (const float value : *values) {
    if (!std::isfinite(value)) return error(ErrorCode::corrupt_data, name, ": holds ", value);
  }
  return values;
}

/// The factor of a ternary matrix from its weight_scale tensor: one number, of shape [1] or [].
Result<float> load_scale(const io::TensorStore& store, const std::string& name, ScaleRule rule) {
  RSR_ASSIGN_OR_RETURN(const Tensor tensor, store.require(name));
  if (tensor.shape != Shape{1} && !tensor.shape.empty()) {
    return error(ErrorCode::corrupt_data, name, ": is ", tensor.describe(), ", must be [1]");
  }
  const Result<std::vector<float>> values = io::to_floats(tensor);
  if (!values.ok()) return values.status().with_context(name);
  const float stored = values->front();
  const float scale = rule == ScaleRule::divide ? 1.0f / stored : stored;
  if (!(scale > 0.0f) || !std::isfinite(scale) || !std::isfinite(stored)) {
    return error(ErrorCode::corrupt_data, name, ": ", stored, " is no scale");
  }
  return scale;
}

Result<Weight> load_ternary(const Model& model, const std::string& module, int64_t rows,
                            int64_t cols) {
  const std::string name = module + ".weight";
  RSR_ASSIGN_OR_RETURN(const Tensor tensor, model.store.require(name));
  const Shape packed = {(rows + 3) / 4, cols};
  if (tensor.dtype != io::DType::u8 || tensor.shape != packed) {
    return error(ErrorCode::corrupt_data, name, ": is ", tensor.describe(), ", a packed [", rows,
                 ", ", cols, "] matrix is u8 ", shape_text(packed));
  }
  RSR_ASSIGN_OR_RETURN(const float scale,
                       load_scale(model.store, module + ".weight_scale", model.config.scale_rule));
  const auto* bytes = reinterpret_cast<const uint8_t*>(tensor.data.data());
  Result<Weight> weight =
      prepare(packed_2bit({bytes, tensor.data.size()}, rows, cols), {.scale = scale});
  if (!weight.ok()) {
    return Status(ErrorCode::corrupt_data, weight.status().message()).with_context(name);
  }
  return weight;
}

/// Rows and columns of a projection.
std::pair<int64_t, int64_t> projection_shape(const ModelConfig& config, Projection projection) {
  switch (projection) {
    case Projection::q:
      return {config.q_dim(), config.hidden_size};
    case Projection::k:
    case Projection::v:
      return {config.kv_dim(), config.hidden_size};
    case Projection::o:
      return {config.hidden_size, config.q_dim()};
    case Projection::gate:
    case Projection::up:
      return {config.intermediate_size, config.hidden_size};
    case Projection::down:
      return {config.hidden_size, config.intermediate_size};
  }
  return {0, 0};
}

Result<LayerWeights> load_layer(const Model& model, int64_t layer) {
  const ModelConfig& config = model.config;
  const auto norm = [&](const char* name, int64_t size) {
    return load_norm(model.store, layer_name(layer, name), size);
  };
  LayerWeights weights;
  RSR_ASSIGN_OR_RETURN(weights.input_norm, norm("input_layernorm.weight", config.hidden_size));
  RSR_ASSIGN_OR_RETURN(weights.attention_norm,
                       norm("post_attention_layernorm.weight", config.hidden_size));
  if (config.has_sub_norms) {
    RSR_ASSIGN_OR_RETURN(weights.attn_sub_norm,
                         norm("self_attn.attn_sub_norm.weight", config.q_dim()));
    RSR_ASSIGN_OR_RETURN(weights.ffn_sub_norm,
                         norm("mlp.ffn_sub_norm.weight", config.intermediate_size));
  }
  for (const Projection projection : kProjections) {
    const auto [rows, cols] = projection_shape(config, projection);
    RSR_ASSIGN_OR_RETURN(
        Weight weight,
        load_ternary(model, layer_name(layer, projection_name(projection)), rows, cols));
    weights.projections.push_back(std::move(weight));
  }
  return weights;
}

/// Prepares the layers on all threads; the error of the first layer that has one.
Status load_layers(Context::Impl& context, Model* model) {
  std::vector<std::optional<Result<LayerWeights>>> loaded(
      static_cast<size_t>(model->config.num_layers));
  context.pool.parallel_for(model->config.num_layers, [&](base::Range range) {
    for (int64_t i = range.begin; i < range.end; ++i) {
      auto& slot = loaded[static_cast<size_t>(i)];
      try {
        slot.emplace(load_layer(*model, i));
      } catch (const std::bad_alloc&) {  // nothing may be thrown through the pool
        slot.emplace(Status(ErrorCode::limit_exceeded, "out of memory"));
      }
    }
  });
  for (auto& layer : loaded) {
    if (!layer->ok()) return layer->status();
    model->layers.push_back(std::move(*layer).value());
  }
  return {};
}

/// The first row that holds a NaN or an infinity (all exponent bits set), or -1.
int64_t first_row_not_finite(Context::Impl& context, const linear::Dense& table) {
  std::vector<uint8_t> bad(static_cast<size_t>(table.rows));
  context.pool.parallel_for(table.rows, [&](base::Range range) {
    for (int64_t row = range.begin; row < range.end; ++row) {
      const uint16_t* values = table.weight + row * table.cols;
      unsigned found = 0;
      for (int64_t i = 0; i < table.cols; ++i) found |= (values[i] & 0x7f80u) == 0x7f80u ? 1u : 0u;
      bad[static_cast<size_t>(row)] = static_cast<uint8_t>(found);
    }
  });
  for (int64_t row = 0; row < table.rows; ++row) {
    if (bad[static_cast<size_t>(row)] != 0) return row;
  }
  return -1;
}

Result<DenseTable> load_table(Context::Impl& context, const Model& model, const std::string& name) {
  const int64_t rows = model.config.vocab_size;
  const int64_t cols = model.config.hidden_size;
  RSR_ASSIGN_OR_RETURN(const Tensor tensor, require_shape(model.store, name, {rows, cols}));
  if (tensor.dtype != io::DType::bf16) {
    return error(ErrorCode::unsupported, name, ": is ", tensor.describe(),
                 ", only bf16 is supported");
  }
  DenseTable table;
  const std::byte* data = tensor.data.data();
  if (reinterpret_cast<uintptr_t>(data) % alignof(uint16_t) != 0) {
    table.copy = base::AlignedArray<uint16_t>(tensor.data.size() / 2);
    std::memcpy(table.copy.data(), data, tensor.data.size());
    data = reinterpret_cast<const std::byte*>(table.copy.data());
  }
  table.view = {reinterpret_cast<const uint16_t*>(data), rows, cols};
  if (const int64_t row = first_row_not_finite(context, table.view); row >= 0) {
    return error(ErrorCode::corrupt_data, name, ": row ", row, " holds a NaN or an infinity");
  }
  return table;
}

std::set<std::string, std::less<>> expected_names(const ModelConfig& config) {
  std::set<std::string, std::less<>> names = {"model.embed_tokens.weight", "model.norm.weight",
                                              "lm_head.weight"};
  for (int64_t layer = 0; layer < config.num_layers; ++layer) {
    names.insert(layer_name(layer, "input_layernorm.weight"));
    names.insert(layer_name(layer, "post_attention_layernorm.weight"));
    if (config.has_sub_norms) {
      names.insert(layer_name(layer, "self_attn.attn_sub_norm.weight"));
      names.insert(layer_name(layer, "mlp.ffn_sub_norm.weight"));
    }
    for (const Projection projection : kProjections) {
      const std::string module = layer_name(layer, projection_name(projection));
      names.insert(module + ".weight");
      names.insert(module + ".weight_scale");
    }
  }
  return names;
}

/// A tensor that the graph does not use could be a bias or a norm that it should: refused. Two are
/// known to be harmless: the rotary frequencies of old exports, and the copy of a tied head.
Status check_no_unexpected(const Model& model) {
  const auto expected = expected_names(model.config);
  for (const auto& [name, tensor] : model.store.tensors()) {
    if (expected.contains(name) || name.ends_with(".rotary_emb.inv_freq")) continue;
    return error(ErrorCode::unsupported, "tensor ", name, " (", tensor.describe(),
                 ") has no place in a \"", model.config.model_type, "\" model of ",
                 model.config.num_layers, " layers");
  }
  return {};
}

Status load_tables(Context::Impl& context, Model* model) {
  RSR_ASSIGN_OR_RETURN(model->embedding, load_table(context, *model, "model.embed_tokens.weight"));
  if (model->config.tied_head) {
    model->head.view = model->embedding.view;
  } else {
    RSR_ASSIGN_OR_RETURN(model->head, load_table(context, *model, "lm_head.weight"));
  }
  return {};
}

Status load_all(Context::Impl& context, Model* model) {
  RSR_RETURN_IF_ERROR(check_no_unexpected(*model));
  RSR_RETURN_IF_ERROR(load_layers(context, model));
  RSR_ASSIGN_OR_RETURN(model->final_norm,
                       load_norm(model->store, "model.norm.weight", model->config.hidden_size));
  RSR_RETURN_IF_ERROR(load_tables(context, model));
  model->rope_frequencies = rope_frequencies(model->config.rope_theta, model->config.head_dim);
  return {};
}

int64_t float_bytes(const std::vector<float>& values) {
  return static_cast<int64_t>(values.size() * sizeof(float));
}

}  // namespace

const char* projection_name(Projection projection) {
  switch (projection) {
    case Projection::q:
      return "self_attn.q_proj";
    case Projection::k:
      return "self_attn.k_proj";
    case Projection::v:
      return "self_attn.v_proj";
    case Projection::o:
      return "self_attn.o_proj";
    case Projection::gate:
      return "mlp.gate_proj";
    case Projection::up:
      return "mlp.up_proj";
    case Projection::down:
      return "mlp.down_proj";
  }
  return "";
}

int64_t Model::weight_bytes() const {
  int64_t bytes = head.bytes() + float_bytes(final_norm);
  for (const LayerWeights& layer : layers) {
    bytes += float_bytes(layer.input_norm) + float_bytes(layer.attention_norm) +
             float_bytes(layer.attn_sub_norm) + float_bytes(layer.ffn_sub_norm);
    for (const Weight& weight : layer.projections) bytes += weight.nbytes();
  }
  return bytes;
}

Result<Model> load_model(Context::Impl& context, const std::string& directory) {
  RSR_ASSIGN_OR_RETURN(ModelConfig config, read_config(directory));
  RSR_ASSIGN_OR_RETURN(io::TensorStore store, io::TensorStore::open(directory));
  Model model{.config = std::move(config), .store = std::move(store)};
  if (Status status = load_all(context, &model); !status.ok()) {
    return status.with_context(directory);
  }
  return model;
}

}  // namespace rsr::model
