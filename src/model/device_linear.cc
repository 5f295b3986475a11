#include "model/device_linear.h"

#include <span>
#include <utility>
#include <variant>

#include "base/check.h"

namespace rsr::model {

Result<DeviceLinear> DeviceLinear::upload(cuda::Stream& stream, const Linear& linear) {
  DeviceLinear made;
  made.rows_ = linear.rows();
  made.cols_ = linear.cols();
  made.norm_eps_ = linear.norm_eps;
  if (!linear.norm.empty()) {
    RSR_ASSIGN_OR_RETURN(made.norm_, cuda::upload(stream, std::span<const float>(linear.norm)));
  }
  if (const auto* ternary = std::get_if<Int8Ternary>(&linear.matrix)) {
    made.input_ = DeviceInput::int8;
    RSR_RETURN_IF_ERROR(made.upload_packed(stream, ternary->weight));
  } else if (const auto* floats = std::get_if<FloatTernary>(&linear.matrix)) {
    RSR_RETURN_IF_ERROR(made.upload_packed(stream, floats->weight));
  } else {
    RSR_RETURN_IF_ERROR(made.upload_dense(stream, std::get<DenseTable>(linear.matrix)));
  }
  return made;
}

Status DeviceLinear::upload_packed(cuda::Stream& stream, const Weight& weight) {
  RSR_ASSIGN_OR_RETURN(DeviceWeight made, linear::upload(stream, weight));
  weight_ = std::make_unique<const DeviceWeight>(std::move(made));
  return {};
}

Status DeviceLinear::upload_dense(cuda::Stream& stream, const DenseTable& table) {
  is_f16_ = table.view.format == linear::Float16::f16;
  const auto count = static_cast<size_t>(rows_ * cols_);
  RSR_ASSIGN_OR_RETURN(dense_, cuda::upload(stream, std::span(table.view.weight, count)));
  return {};
}

cuda::PackedMatrix DeviceLinear::packed(float* y) const {
  cuda::PackedMatrix m = weight_->impl().matrix;
  m.y = y;
  return m;
}

cuda::Dense DeviceLinear::dense_rows(float* y) const {
  cuda::Dense d;
  d.w = dense_.as<uint16_t>();
  d.is_f16 = is_f16_;
  d.rows = static_cast<int32_t>(rows_);
  d.cols = static_cast<int32_t>(cols_);
  d.y = y;
  d.stride = rows_;
  return d;
}

}  // namespace rsr::model
