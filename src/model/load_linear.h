// From the tensors of a module to a linear layer.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "linear/head_scan_form.h"
#include "model/linear_layer.h"
#include "model/prepared.h"
#include "model/quantization.h"

namespace rsr::model {

/// What loading a linear [rows, cols] needs to know of it.
struct LinearModule {
  const io::TensorStore& store;
  const Quantization& quantization;
  std::string name;  // "model.layers.0.mlp.up_proj"
  int64_t rows;
  int64_t cols;
  base::Isa isa;  // packed for its kernels
};

/// The linear: its weight, and the weight_scale and norm that belong to it. A u8 weight is packed
/// ternary; what a float weight is, the config says and its numbers show. Errors name the tensor.
/// Uses no threads: layers are loaded side by side.
Result<Linear> load_linear(const LinearModule& module);

/// The same linear from a prepared file, read in place. Its numbers are looked at as far as the
/// file was.
Result<Linear> load_prepared_linear(const LinearModule& module, const PreparedFile& file);

/// The scan form of the head where the file has one: in place, and of the head's shape.
Result<std::optional<linear::HeadScanForm>> load_head_scan(const io::TensorStore& store,
                                                           const PreparedFile& file,
                                                           const linear::Dense& head);

/// A norm of `size` numbers, all finite.
Result<std::vector<float>> load_norm(const io::TensorStore& store, const std::string& name,
                                     int64_t size);

/// The tensor, when it has this shape.
Result<io::Tensor> require_shape(const io::TensorStore& store, const std::string& name,
                                 const std::vector<int64_t>& shape);

}  // namespace rsr::model
