// From the tensors of a module to a linear layer.
#pragma once

#include <cstdint>
#include <string>

#include "model/linear_layer.h"
#include "model/quantization.h"

namespace rsr::model {

/// The linear [rows, cols] named `module`: its weight, and the weight_scale and norm that belong to
/// it. A u8 weight is packed ternary; what a float weight is, the config says and its numbers show.
/// Errors name the tensor. Packed for the kernels of `isa`. Uses no threads: layers are loaded side
/// by side.
Result<Linear> load_linear(const io::TensorStore& store, const Quantization& quantization,
                           const std::string& module, int64_t rows, int64_t cols, base::Isa isa);

/// A norm of `size` numbers, all finite.
Result<std::vector<float>> load_norm(const io::TensorStore& store, const std::string& name,
                                     int64_t size);

/// The tensor, when it has this shape.
Result<io::Tensor> require_shape(const io::TensorStore& store, const std::string& name,
                                 const std::vector<int64_t>& shape);

}  // namespace rsr::model
