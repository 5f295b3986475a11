// Linears of a prepared file.
#include "base/check.h"
#include "linear/weight.h"
#include "model/load_linear.h"
#include "model/tensor_names.h"

namespace rsr::model {
namespace {

using base::error;
using io::Tensor;

Result<Linear> load_image(const LinearModule& module, const PreparedFile& file,
                          const Tensor& image) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(image.data.data());
  const LoadOptions options = {.isa = base::isa_name(module.isa),
                               .keeper = file.mapping,
                               .check_contents = file.check == FileCheck::contents};
  Result<Weight> weight = weight_from_bytes({bytes, image.data.size()}, options);
  if (!weight.ok()) return weight.status().with_context(image.name);
  if (weight->rows() != module.rows || weight->cols() != module.cols) {
    return error(ErrorCode::corrupt_data, image.name, ": is ", weight->rows(), " x ",
                 weight->cols(), ", config.json asks for ", module.rows, " x ", module.cols);
  }
  switch (weight->impl().inputs) {
    case Inputs::int8:
      return Linear{.matrix = Int8Ternary{std::move(weight).value()}};
    case Inputs::floats:
      return Linear{.matrix = FloatTernary{std::move(weight).value()}};
    case Inputs::any:
      break;
  }
  return error(ErrorCode::corrupt_data, image.name, ": does not say whether its inputs are ",
               "quantised");
}

Result<Linear> load_dense(const LinearModule& module, const PreparedFile& file) {
  const std::string name = weight_name(module.name);
  RSR_ASSIGN_OR_RETURN(const Tensor tensor,
                       require_shape(module.store, name, {module.rows, module.cols}));
  RSR_ASSIGN_OR_RETURN(DenseTable table, make_dense(tensor));
  if (file.check == FileCheck::contents) {
    if (const int64_t row = first_row_not_finite(table.view, {0, module.rows}); row >= 0) {
      return error(ErrorCode::corrupt_data, name, ": row ", row, " holds a NaN or an infinity");
    }
  }
  return Linear{.matrix = std::move(table)};
}

}  // namespace

Result<std::optional<linear::HeadScanForm>> load_head_scan(const io::TensorStore& store,
                                                           const PreparedFile& file,
                                                           const linear::Dense& head) {
  const Tensor* tensor = store.find(kHeadScanName);
  if (tensor == nullptr) return std::optional<linear::HeadScanForm>();
  Result<linear::HeadScanForm> form = linear::read_head_scan_form(tensor->data, file.mapping);
  if (!form.ok()) return form.status().with_context(tensor->name);
  if (form->rows != head.rows || form->cols != head.cols) {
    return error(ErrorCode::corrupt_data, tensor->name, ": is ", form->rows, " x ", form->cols,
                 ", the head is ", head.rows, " x ", head.cols);
  }
  return std::optional(std::move(form).value());
}

Result<Linear> load_prepared_linear(const LinearModule& module, const PreparedFile& file) {
  const Tensor* image = module.store.find(image_name(module.name));
  if (image == nullptr) return load_dense(module, file);
  RSR_ASSIGN_OR_RETURN(Linear linear, load_image(module, file, *image));
  const std::string norm = linear_norm_name(module.name);
  const Quantization& quantization = module.quantization;
  if (quantization.linear_norms && std::holds_alternative<Int8Ternary>(linear.matrix)) {
    RSR_ASSIGN_OR_RETURN(linear.norm, load_norm(module.store, norm, module.cols));
    linear.norm_eps = quantization.linear_norm_eps;
  }
  return linear;
}

}  // namespace rsr::model
