#include "model/weights.h"

#include <atomic>
#include <map>
#include <new>
#include <optional>
#include <utility>

#include "base/check.h"
#include "base/checksum.h"
#include "base/file.h"
#include "model/load_linear.h"

namespace rsr::model {
namespace {

using base::error;
using io::Tensor;
using Shape = std::vector<int64_t>;

Result<Linear> load_projection(const Model& model, const LinearModule& module) {
  return model.prepared.has_value() ? load_prepared_linear(module, *model.prepared)
                                    : load_linear(module);
}

Result<LayerWeights> load_layer(const Model& model, int64_t layer, base::Isa isa) {
  const ModelConfig& config = model.config;
  LayerWeights weights;
  const std::map<std::string_view, std::vector<float>*> places = {
      {kInputNorm, &weights.input_norm},
      {kAttentionNorm, &weights.attention_norm},
      {kAttnSubNorm, &weights.attn_sub_norm},
      {kFfnSubNorm, &weights.ffn_sub_norm}};
  for (const auto& [name, size] : layer_norms(config)) {
    RSR_ASSIGN_OR_RETURN(*places.at(name), load_norm(model.store, layer_name(layer, name), size));
  }
  for (const Projection projection : kProjections) {
    const auto [rows, cols] = projection_shape(config, projection);
    const std::string name = layer_name(layer, projection_name(projection));
    RSR_ASSIGN_OR_RETURN(Linear linear, load_projection(model, {.store = model.store,
                                                                .quantization = config.quantization,
                                                                .name = name,
                                                                .rows = rows,
                                                                .cols = cols,
                                                                .isa = isa}));
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

Status load_tables(Context::Impl& context, Model* model) {
  // Of a prepared file, numbers are read only where every byte is.
  const bool check = !model->prepared.has_value() || model->prepared->check == FileCheck::contents;
  const auto load = [&](const char* name) {
    return load_table(context, model->config, model->store, name, check);
  };
  RSR_ASSIGN_OR_RETURN(model->embedding, load(kEmbedding));
  if (model->config.tied_head) {
    model->head.view = model->embedding.view;
  } else {
    RSR_ASSIGN_OR_RETURN(model->head, load(head_name(model->store)));
  }
  if (model->prepared.has_value()) {
    RSR_ASSIGN_OR_RETURN(model->head_scan,
                         load_head_scan(model->store, *model->prepared, model->head.view));
  }
  return {};
}

Status load_all(Context::Impl& context, Model* model) {
  RSR_RETURN_IF_ERROR(
      check_no_unexpected(model->config, model->store, model->prepared.has_value()));
  RSR_RETURN_IF_ERROR(load_layers(context, model));
  RSR_ASSIGN_OR_RETURN(model->final_norm,
                       load_norm(model->store, kFinalNorm, model->config.hidden_size));
  RSR_RETURN_IF_ERROR(load_tables(context, model));
  model->rope_frequencies = rope_frequencies(model->config.rope, model->config.head_dim);
  return {};
}

struct OpenedStore {
  io::TensorStore store;
  std::optional<PreparedFile> prepared;
};

/// The prepared file, where there is one.
Result<OpenedStore> open_store(Context::Impl& context, const std::string& directory,
                               FileCheck check) {
  if (!is_prepared(directory)) {
    RSR_ASSIGN_OR_RETURN(io::TensorStore store, io::TensorStore::open(directory));
    return OpenedStore{std::move(store), std::nullopt};
  }
  const std::string path = directory + "/" + kPreparedFile;
  RSR_ASSIGN_OR_RETURN(io::SafetensorsFile file, io::SafetensorsFile::open(path));
  Result<PreparedFile> prepared = check_prepared(file, check, context.pool);
  if (!prepared.ok()) return prepared.status().with_context(path);
  prepared->mapping->will_be_read();
  return OpenedStore{io::TensorStore::of(directory, std::move(file)), std::move(prepared).value()};
}

/// What was repacked, and how often: one sentence, or none.
std::string repacked_notice(const Model& model) {
  std::map<std::string, int> counts;
  for (const LayerWeights& layer : model.layers) {
    for (const Linear& linear : layer.projections) ++counts[linear.notice()];
  }
  counts.erase("");
  std::string text;
  for (const auto& [notice, count] : counts) {
    text += (text.empty() ? "" : "; ") + std::to_string(count) + " matrices " + notice;
  }
  if (text.empty()) return text;
  return "the model was prepared for " + model.prepared->info.isa + ": " + text +
         "; preparing it for this machine saves that";
}

int64_t float_bytes(const std::vector<float>& values) {
  return static_cast<int64_t>(values.size() * sizeof(float));
}

}  // namespace

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

Result<DenseTable> load_table(Context::Impl& context, const ModelConfig& config,
                              const io::TensorStore& store, const std::string& name, bool check) {
  const Shape shape = {config.vocab_size, config.hidden_size};
  RSR_ASSIGN_OR_RETURN(const Tensor tensor, require_shape(store, name, shape));
  RSR_ASSIGN_OR_RETURN(DenseTable table, make_dense(tensor));
  if (!check) return table;
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

const char* head_name(const io::TensorStore& store) {
  const bool other = store.find(kHead) == nullptr && store.find(kOtherHead) != nullptr;
  return other ? kOtherHead : kHead;
}

Status check_no_unexpected(const ModelConfig& config, const io::TensorStore& store, bool prepared) {
  const auto expected = expected_names(config, prepared);
  for (const auto& [name, tensor] : store.tensors()) {
    // A tensor that the graph does not use could be a bias or a norm that it should: refused. Two
    // are known to be harmless: the rotary frequencies of old exports, and the copy of a tied head.
    if (expected.contains(name) || name.ends_with(".rotary_emb.inv_freq")) continue;
    if (prepared && name.starts_with(kExtraPrefix)) continue;
    return error(ErrorCode::unsupported, "tensor ", name, " (", tensor.describe(),
                 ") has no place in a \"", config.model_type, "\" model of ", config.num_layers,
                 " layers");
  }
  return {};
}

Result<Model> load_model(Context::Impl& context, const std::string& directory, FileCheck check) {
  RSR_ASSIGN_OR_RETURN(ModelConfig config, read_config(directory));
  RSR_ASSIGN_OR_RETURN(OpenedStore opened, open_store(context, directory, check));
  RSR_ASSIGN_OR_RETURN(const std::string text,
                       base::read_file(directory + "/config.json", kConfigLimit));
  Model model{.config = std::move(config),
              .config_hash = base::checksum(std::as_bytes(std::span(text))),
              .store = std::move(opened.store),
              .prepared = std::move(opened.prepared)};
  if (Status status = load_all(context, &model); !status.ok()) {
    return status.with_context(directory);
  }
  model.notice = repacked_notice(model);
  return model;
}

}  // namespace rsr::model
