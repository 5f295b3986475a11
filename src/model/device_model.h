// A model's weights on a device.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "cuda/device.h"
#include "linear/context.h"
#include "model/device_head.h"
#include "model/device_linear.h"
#include "model/weights.h"

namespace rsr::model {

/// Norms that the model does not have are empty.
struct DeviceLayer {
  cuda::Memory input_norm;
  cuda::Memory attention_norm;
  cuda::Memory attn_sub_norm;
  cuda::Memory ffn_sub_norm;
  std::vector<DeviceLinear> projections;  // by Projection

  const DeviceLinear& at(Projection projection) const {
    return projections[static_cast<size_t>(projection)];
  }
};

/// What the forward pass reads on a device; immutable, shared by sequences. The host's model stays
/// the owner of all that is not weights.
struct DeviceModel {
  /// Copies every weight, by all threads of the context. Errors: no memory, weights without a
  /// kernel for devices.
  static Result<std::shared_ptr<const DeviceModel>> upload(Context::Impl& context,
                                                           const cuda::Device& device,
                                                           const Model& model);

  /// The embedding or the head as operations read it.
  struct Table {
    const uint16_t* rows = nullptr;
    bool is_f16 = false;
  };

  /// Bytes that a token reads of layers and norms.
  int64_t layer_bytes() const;

  cuda::Device device;
  cuda::Memory embedding_memory;
  cuda::Memory head_memory;  // empty where the head is the embedding
  Table embedding;
  Table head;
  std::optional<DeviceHeadForm> head_scan;  // where the host's model has one, for which
                                            // operations have room
  cuda::Memory final_norm;
  std::vector<DeviceLayer> layers;
};

}  // namespace rsr::model
