#include "model/weights.h"

#include <atomic>
#include <new>
#include <optional>
#include <set>
#include <utility>

#include "base/check.h"
#include "model/load_linear.h"

namespace rsr::model {
namespace {

using base::error;
using io::Tensor;
using Shape = std::vector<int64_t>;

// The name of the head in the library, and the one that a converter of Falcon3 writes.
constexpr const char* kHead = "lm_head.weight";
constexpr const char* kOtherHead = "model.lm_head.weight";

/// Name of a layer's tensor.
std::string layer_name(int64_t layer, const std::string& rest) {
  return "model.layers." + std::to_string(layer) + "." + rest;
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

Result<LayerWeights> load_layer(const Model& model, int64_t layer, base::Isa isa) {
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
    const std::string name = layer_name(layer, projection_name(projection));
    RSR_ASSIGN_OR_RETURN(Linear linear,
                         load_linear(model.store, config.quantization, name, rows, cols, isa));
    weights.projections.push_back(std::move(linear));
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
        slot.emplace(load_layer(*model, i, context.isa));
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

/// The embedding or the head, [vocab, hidden]: always dense.
Result<DenseTable> load_table(Context::Impl& context, const Model& model, const std::string& name) {
  const Shape shape = {model.config.vocab_size, model.config.hidden_size};
  RSR_ASSIGN_OR_RETURN(const Tensor tensor, require_shape(model.store, name, shape));
  RSR_ASSIGN_OR_RETURN(DenseTable table, make_dense(tensor));
  std::atomic<bool> bad = false;
  context.pool.parallel_for(table.view.rows, [&](base::Range rows) {
    if (first_row_not_finite(table.view, rows) >= 0) bad = true;
  });
  if (bad) {
    const int64_t row = first_row_not_finite(table.view, {0, table.view.rows});
    return error(ErrorCode::corrupt_data, name, ": row ", row, " holds a NaN or an infinity");
  }
  return table;
}

std::set<std::string, std::less<>> expected_names(const ModelConfig& config) {
  std::set<std::string, std::less<>> names = {"model.embed_tokens.weight", "model.norm.weight",
                                              kHead, kOtherHead};
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
      if (config.quantization.scale_rule.has_value()) names.insert(module + ".weight_scale");
      if (config.quantization.linear_norms) names.insert(module + ".rms_norm.weight");
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
    const bool other = model->store.find(kHead) == nullptr && model->store.find(kOtherHead);
    RSR_ASSIGN_OR_RETURN(model->head, load_table(context, *model, other ? kOtherHead : kHead));
  }
  return {};
}

Status load_all(Context::Impl& context, Model* model) {
  RSR_RETURN_IF_ERROR(check_no_unexpected(*model));
  RSR_RETURN_IF_ERROR(load_layers(context, model));
  RSR_ASSIGN_OR_RETURN(model->final_norm,
                       load_norm(model->store, "model.norm.weight", model->config.hidden_size));
  RSR_RETURN_IF_ERROR(load_tables(context, model));
  model->rope_frequencies = rope_frequencies(model->config.rope, model->config.head_dim);
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
    for (const Linear& linear : layer.projections)
      bytes += linear.bytes() + float_bytes(linear.norm);
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
