#include "linear/device_weight.h"

#include <limits>
#include <memory>
#include <mutex>
#include <variant>

#include "base/check.h"
#include "linear/device_context.h"
#include "linear/weight.h"

namespace rsr {
namespace linear {
namespace {

using base::error;
using matrix::Format;
using matrix::Packed;

/// What devices multiply fastest: 2 bits, whose fields are operands of tensor cores as they lie.
Format format_for(const Packed& packed, const DeviceWeightOptions& options) {
  if (!matrix::is_ternary(packed.format())) return packed.format();
  return options.compact ? Format::t5 : Format::t2;
}

/// Errors: a weight that devices have no kernel for.
Result<const Packed*> packed_of(const Weight& weight, const DeviceWeightOptions& options) {
  constexpr int64_t kMostRows = std::numeric_limits<int32_t>::max();
  const Weight::Impl& impl = weight.impl();
  const auto* packed = std::get_if<Packed>(&impl.packed);
  if (packed == nullptr) {
    return error(ErrorCode::unsupported, "weight: ", weight.describe(),
                 "; devices have no kernel for it, prepare it with multiply_add");
  }
  if (weight.rows() > kMostRows) {
    return error(ErrorCode::limit_exceeded, "weight: ", weight.rows(),
                 " rows; devices take at most ", kMostRows);
  }
  if (!packed->layout().contiguous()) {
    return error(ErrorCode::unsupported, "weight: groups of ", packed->layout().group_size(),
                 " columns; devices have kernels for multiples of ", packed->layout().step());
  }
  if (options.compact && impl.scales.grouped() && matrix::is_ternary(packed->format())) {
    return error(ErrorCode::unsupported, "weight: it has group scales, groups of ",
                 impl.scales.group_size(), " columns, which compact weights cannot have");
  }
  return packed;
}

/// Copies `count` values to memory of their own. The address is also given to `view`.
template <class T>
Status upload_to(cuda::Stream& stream, const T* values, int64_t count, cuda::Memory* memory,
                 const T** view) {
  RSR_ASSIGN_OR_RETURN(*memory,
                       cuda::upload(stream, std::span(values, static_cast<size_t>(count))));
  *view = memory->as<T>();
  return {};
}

Status upload_scales(cuda::Stream& stream, const Scales& scales, const Packed& packed,
                     DeviceWeight::Impl* made) {
  if (scales.grouped()) {  // they carry the others
    made->matrix.group_lines = static_cast<int32_t>(packed.layout().steps_per_segment());
    const int64_t count = packed.tiles() * scales.group_count() * matrix::kTileRows;
    return upload_to(stream, scales.of_groups(), count, &made->group_scales,
                     &made->matrix.group_scales);
  }
  made->matrix.scale = scales.of_matrix();
  if (scales.of_rows() == nullptr) return {};
  return upload_to(stream, scales.of_rows(), packed.rows(), &made->row_scales,
                   &made->matrix.row_scales);
}

}  // namespace

Result<DeviceWeight> upload(cuda::Stream& stream, const Weight& weight,
                            const DeviceWeightOptions& options) {
  RSR_ASSIGN_OR_RETURN(const Packed* given, packed_of(weight, options));
  const Format format = format_for(*given, options);
  Packed repacked;
  if (format != given->format()) repacked = given->repacked(format);
  const Packed& packed = format != given->format() ? repacked : *given;
  const auto made =
      std::make_shared<DeviceWeight::Impl>(DeviceWeight::Impl{.matrix = {},
                                                              .format = format,
                                                              .alphabet = packed.alphabet(),
                                                              .cols = packed.cols(),
                                                              .device = stream.device(),
                                                              .lines = {},
                                                              .row_scales = {},
                                                              .group_scales = {}});
  cuda::PackedMatrix& m = made->matrix;
  m.tile_lines = static_cast<int32_t>(packed.lines_per_tile());
  m.rows = static_cast<int32_t>(packed.rows());
  m.stride = packed.rows();
  RSR_RETURN_IF_ERROR(upload_to(stream, packed.lines(), packed.nbytes(), &made->lines, &m.lines));
  RSR_RETURN_IF_ERROR(upload_scales(stream, weight.impl().scales, packed, made.get()));
  return DeviceWeight(made);
}

}  // namespace linear

Result<DeviceWeight> to_device(const DeviceContext& context, const Weight& weight,
                               const DeviceWeightOptions& options) {
  DeviceContext::Impl& impl = context.impl();
  const std::lock_guard lock(impl.mutex);
  return linear::upload(impl.stream, weight, options);
}

int64_t DeviceWeight::rows() const {
  return impl_->matrix.rows;
}

int64_t DeviceWeight::cols() const {
  return impl_->cols;
}

int64_t DeviceWeight::nbytes() const {
  return static_cast<int64_t>(impl_->lines.bytes() + impl_->row_scales.bytes() +
                              impl_->group_scales.bytes());
}

std::string DeviceWeight::describe() const {
  return std::string(matrix::format_name(impl_->format)) + " on " + impl_->device.describe();
}

}  // namespace rsr
