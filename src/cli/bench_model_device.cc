#include "cli/bench_model_device.h"

#include <utility>

#include "base/check.h"

namespace rsr::cli {

Result<ModelOnDevice> ModelOnDevice::create(Context::Impl& context, const cuda::Device& device,
                                            const model::Model& model, int64_t copy_bytes) {
  RSR_ASSIGN_OR_RETURN(std::shared_ptr<const model::DeviceModel> uploaded,
                       model::DeviceModel::upload(context, device, model));
  RSR_ASSIGN_OR_RETURN(cuda::Stream stream, cuda::Stream::create(device));
  RSR_ASSIGN_OR_RETURN(CopyBandwidth copy, CopyBandwidth::create(stream, copy_bytes));
  return ModelOnDevice(model, std::move(uploaded), std::move(stream), std::move(copy));
}

Result<std::unique_ptr<model::DeviceSequence>> ModelOnDevice::sequence(int64_t positions,
                                                                       model::KvType type) const {
  return model::DeviceSequence::create(model_, *host_, positions, type);
}

std::string ModelOnDevice::format() const {
  const model::DeviceLinear& linear = model_->layers.front().at(model::Projection::up);
  return linear.dense() ? "dense" : matrix::format_name(linear.format());
}

}  // namespace rsr::cli
