#include "model/load_linear.h"

#include <cmath>
#include <optional>

#include "base/check.h"
#include "model/tensor_names.h"
#include "model/ternary_values.h"

namespace rsr::model {
namespace {

using base::error;
using io::Tensor;
using Shape = std::vector<int64_t>;

using Module = LinearModule;

/// How its weights are packed for products with these inputs.
PrepareOptions prepare_for(const Module& module, Inputs inputs) {
  PrepareOptions options;
  options.inputs = inputs;
  options.isa = base::isa_name(module.isa);
  return options;
}

std::string shape_text(const Shape& shape) {
  std::string text = "[";
  for (const int64_t size : shape) {
    if (text.size() > 1) text += ", ";
    text += std::to_string(size);
  }
  return text + "]";
}

/// The weight, when preparing it went well; otherwise its error is one of the file.
Result<Weight> of_file(Result<Weight> weight, const std::string& name) {
  if (weight.ok()) return weight;
  return Status(ErrorCode::corrupt_data, weight.status().message()).with_context(name);
}

/// The factor of a packed matrix from its weight_scale tensor: one number, of shape [1] or [].
Result<float> load_scale(const Module& module) {
  const std::string name = scale_name(module.name);
  RSR_ASSIGN_OR_RETURN(const Tensor tensor, module.store.require(name));
  if (tensor.shape != Shape{1} && !tensor.shape.empty()) {
    return error(ErrorCode::corrupt_data, name, ": is ", tensor.describe(), ", must be [1]");
  }
  const Result<std::vector<float>> values = io::to_floats(tensor);
  if (!values.ok()) return values.status().with_context(name);
  const float stored = values->front();
  const bool divide = module.quantization.scale_rule == ScaleRule::divide;
  const float scale = divide ? 1.0f / stored : stored;
  if (!(scale > 0.0f) || !std::isfinite(scale) || !std::isfinite(stored)) {
    return error(ErrorCode::corrupt_data, name, ": ", stored, " is no scale");
  }
  return scale;
}

Result<Linear> load_packed(const Module& module, const Tensor& tensor) {
  const Shape packed = {(module.rows + 3) / 4, module.cols};
  if (tensor.shape != packed) {
    return error(ErrorCode::corrupt_data, tensor.name, ": is ", tensor.describe(), ", a packed [",
                 module.rows, ", ", module.cols, "] matrix is u8 ", shape_text(packed));
  }
  if (!module.quantization.scale_rule.has_value()) {
    return error(ErrorCode::unsupported, tensor.name, ": is ", tensor.describe(),
                 ", packed, but config.json has no \"quantization_config\"");
  }
  RSR_ASSIGN_OR_RETURN(const float scale, load_scale(module));
  const auto* bytes = reinterpret_cast<const uint8_t*>(tensor.data.data());
  PrepareOptions options = prepare_for(module, Inputs::int8);
  options.scale = scale;
  RSR_ASSIGN_OR_RETURN(
      Weight weight,
      of_file(prepare(packed_2bit({bytes, tensor.data.size()}, module.rows, module.cols), options),
              tensor.name));
  return Linear{.matrix = Int8Ternary{std::move(weight)}};
}

Result<Linear> load_masters(const Module& module, const Tensor& tensor) {
  RSR_ASSIGN_OR_RETURN(const std::vector<float> values, io::to_floats(tensor));
  RSR_ASSIGN_OR_RETURN(Weight weight, of_file(prepare(absmean(values, module.rows, module.cols),
                                                      prepare_for(module, Inputs::int8)),
                                              tensor.name));
  return Linear{.matrix = Int8Ternary{std::move(weight)}};
}

Result<Linear> load_ternary_or_dense(const Module& module, const Tensor& tensor) {
  if (std::optional<TernaryValues> found = find_ternary(tensor)) {
    PrepareOptions options = prepare_for(module, Inputs::floats);
    if (found->width == module.cols) {
      options.row_scales = found->scales;
    } else {
      options.group_scales = found->scales;
      options.group_size = found->width;
    }
    RSR_ASSIGN_OR_RETURN(
        Weight weight,
        of_file(prepare(ternary(found->values, module.rows, module.cols), options), tensor.name));
    return Linear{.matrix = FloatTernary{std::move(weight)}};
  }
  RSR_ASSIGN_OR_RETURN(DenseTable table, make_dense(tensor));
  if (const int64_t row = first_row_not_finite(table.view, {0, module.rows}); row >= 0) {
    return error(ErrorCode::corrupt_data, tensor.name, ": row ", row,
                 " holds a NaN or an infinity");
  }
  return Linear{.matrix = std::move(table)};
}

Result<Linear> load_floats(const Module& module, const Tensor& tensor) {
  const bool kept = module.quantization.keeps(module.name);
  const bool is_float = tensor.dtype == io::DType::f32 || tensor.dtype == io::DType::f16 ||
                        tensor.dtype == io::DType::bf16;
  if (!is_float || (module.quantization.float_weights == FloatWeights::refused && !kept)) {
    const bool packed = module.quantization.scale_rule.has_value();
    return error(packed ? ErrorCode::corrupt_data : ErrorCode::unsupported, tensor.name, ": is ",
                 tensor.describe(), ", expected ",
                 packed ? "packed weights of u8" : "f32, f16 or bf16");
  }
  RSR_RETURN_IF_ERROR(
      require_shape(module.store, tensor.name, {module.rows, module.cols}).status());
  if (module.store.find(scale_name(module.name)) != nullptr) {
    return error(ErrorCode::unsupported, scale_name(module.name), ": a scale of a ",
                 tensor.describe(), " weight, which should be packed");
  }
  if (kept || module.quantization.float_weights == FloatWeights::as_stored) {
    return load_ternary_or_dense(module, tensor);
  }
  return load_masters(module, tensor);
}

}  // namespace

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

Result<Linear> load_linear(const LinearModule& module) {
  RSR_ASSIGN_OR_RETURN(const Tensor tensor, module.store.require(weight_name(module.name)));
  const bool packed = tensor.dtype == io::DType::u8;
  RSR_ASSIGN_OR_RETURN(Linear linear,
                       packed ? load_packed(module, tensor) : load_floats(module, tensor));
  // Linears that the library does not convert are plain ones, without a norm.
  const Quantization& quantization = module.quantization;
  if (quantization.linear_norms && std::holds_alternative<Int8Ternary>(linear.matrix)) {
    RSR_ASSIGN_OR_RETURN(linear.norm,
                         load_norm(module.store, linear_norm_name(module.name), module.cols));
    linear.norm_eps = quantization.linear_norm_eps;
  }
  return linear;
}

}  // namespace rsr::model
