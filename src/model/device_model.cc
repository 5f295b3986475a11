#include "model/device_model.h"

#include <functional>
#include <new>
#include <span>
#include <utility>

#include "base/check.h"

namespace rsr::model {
namespace {

Result<cuda::Memory> upload_floats(cuda::Stream& stream, const std::vector<float>& values) {
  if (values.empty()) return cuda::Memory();
  return cuda::upload(stream, std::span<const float>(values));
}

Status upload_layer(cuda::Stream& stream, const LayerWeights& layer, DeviceLayer* made) {
  RSR_ASSIGN_OR_RETURN(made->input_norm, upload_floats(stream, layer.input_norm));
  RSR_ASSIGN_OR_RETURN(made->attention_norm, upload_floats(stream, layer.attention_norm));
  RSR_ASSIGN_OR_RETURN(made->attn_sub_norm, upload_floats(stream, layer.attn_sub_norm));
  RSR_ASSIGN_OR_RETURN(made->ffn_sub_norm, upload_floats(stream, layer.ffn_sub_norm));
  for (const Linear& linear : layer.projections) {
    RSR_ASSIGN_OR_RETURN(DeviceLinear uploaded, DeviceLinear::upload(stream, linear));
    made->projections.push_back(std::move(uploaded));
  }
  return {};
}

/// Over a stream of its own; throws nothing.
Status upload_layer_alone(const cuda::Device& device, const LayerWeights& layer,
                          DeviceLayer* made) {
  try {
    RSR_ASSIGN_OR_RETURN(cuda::Stream stream, cuda::Stream::create(device));
    return upload_layer(stream, layer, made);
  } catch (const std::bad_alloc&) {
    return base::error(ErrorCode::limit_exceeded, "out of memory");
  }
}

/// By all threads: weights in 1.6 bits are packed in 2 bits on the way, a billion in a second.
Status upload_layers(Context::Impl& context, const Model& model, DeviceModel* made) {
  made->layers.resize(model.layers.size());
  std::vector<Status> statuses(model.layers.size());
  const auto part = [&](base::Range layers) {
    for (auto i = static_cast<size_t>(layers.begin); i < static_cast<size_t>(layers.end); ++i) {
      statuses[i] = upload_layer_alone(made->device, model.layers[i], &made->layers[i]);
    }
  };
  context.pool.parallel_for(static_cast<int64_t>(statuses.size()), std::cref(part));
  for (size_t i = 0; i < statuses.size(); ++i) {
    RSR_RETURN_IF_ERROR(statuses[i].with_context("layer " + std::to_string(i)));
  }
  return {};
}

Status upload_table(cuda::Stream& stream, const DenseTable& table, cuda::Memory* memory,
                    DeviceModel::Table* view) {
  const linear::Dense& dense = table.view;
  const auto count = static_cast<size_t>(dense.rows * dense.cols);
  RSR_ASSIGN_OR_RETURN(*memory, cuda::upload(stream, std::span(dense.weight, count)));
  *view = {memory->as<uint16_t>(), dense.format == linear::Float16::f16};
  return {};
}

/// All but the layers.
Status upload_rest(cuda::Stream& stream, const Model& model, DeviceModel* made) {
  RSR_RETURN_IF_ERROR(
      upload_table(stream, model.embedding, &made->embedding_memory, &made->embedding));
  if (model.head.view.weight == model.embedding.view.weight) {
    made->head = made->embedding;
  } else {
    RSR_RETURN_IF_ERROR(upload_table(stream, model.head, &made->head_memory, &made->head));
  }
  if (model.head_scan.has_value() && DeviceHeadForm::fits(model.head_scan->rows)) {
    RSR_ASSIGN_OR_RETURN(made->head_scan, DeviceHeadForm::upload(stream, *model.head_scan));
  }
  RSR_ASSIGN_OR_RETURN(made->final_norm, upload_floats(stream, model.final_norm));
  return {};
}

}  // namespace

int64_t DeviceModel::layer_bytes() const {
  auto bytes = static_cast<int64_t>(final_norm.bytes());
  for (const DeviceLayer& layer : layers) {
    bytes += static_cast<int64_t>(layer.input_norm.bytes() + layer.attention_norm.bytes() +
                                  layer.attn_sub_norm.bytes() + layer.ffn_sub_norm.bytes());
    for (const DeviceLinear& linear : layer.projections) bytes += linear.bytes();
  }
  return bytes;
}

Result<std::shared_ptr<const DeviceModel>> DeviceModel::upload(Context::Impl& context,
                                                               const cuda::Device& device,
                                                               const Model& model) {
  const auto made = std::make_shared<DeviceModel>(DeviceModel{.device = device,
                                                              .embedding_memory = {},
                                                              .head_memory = {},
                                                              .embedding = {},
                                                              .head = {},
                                                              .head_scan = {},
                                                              .final_norm = {},
                                                              .layers = {}});
  RSR_ASSIGN_OR_RETURN(cuda::Stream stream, cuda::Stream::create(device));
  Status status = upload_rest(stream, model, made.get());
  if (status.ok()) status = upload_layers(context, model, made.get());
  if (!status.ok()) return status.with_context("copying the model to " + device.describe());
  return std::shared_ptr<const DeviceModel>(made);
}

}  // namespace rsr::model
