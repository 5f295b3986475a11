// The model that rsr bench model --device measures, and what it is held against there.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "cli/bench_device_timing.h"
#include "cuda/device.h"
#include "model/device_model.h"
#include "model/device_sequence.h"
#include "model/weights.h"

namespace rsr::cli {

class ModelOnDevice {
 public:
  /// Copies the weights; `model` must live as long. Errors: no memory on the device, weights that
  /// it has no kernels for.
  static Result<ModelOnDevice> create(Context::Impl& context, const cuda::Device& device,
                                      const model::Model& model, int64_t copy_bytes = kCopyBytes);

  Result<std::unique_ptr<model::DeviceSequence>> sequence(int64_t positions,
                                                          model::KvType type) const;

  /// Bytes of weights that a token reads, without the head.
  int64_t layer_bytes() const { return model_->layer_bytes(); }
  /// Of the layers' matrices: "t2".
  std::string format() const;
  const cuda::Device& device() const { return model_->device; }

  /// Of copies in the device's memory.
  void restart_bandwidth() { copy_.restart(); }
  Status sample_bandwidth() { return copy_.sample(stream_); }
  double bytes_per_second() const { return copy_.bytes_per_second(); }

 private:
  ModelOnDevice(const model::Model& host, std::shared_ptr<const model::DeviceModel> model,
                cuda::Stream stream, CopyBandwidth copy)
      : host_(&host),
        model_(std::move(model)),
        stream_(std::move(stream)),
        copy_(std::move(copy)) {}

  const model::Model* host_;
  std::shared_ptr<const model::DeviceModel> model_;
  cuda::Stream stream_;
  CopyBandwidth copy_;
};

}  // namespace rsr::cli
