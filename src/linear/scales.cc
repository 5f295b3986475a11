#include "linear/scales.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/check.h"

namespace rsr::linear {
namespace {

using base::error;

Status check_length(const char* name, std::span<const float> scales, int64_t expected) {
  if (static_cast<int64_t>(scales.size()) != expected) {
    return error(ErrorCode::invalid_argument, name, ": ", scales.size(), " scales given, ",
                 expected, " needed");
  }
  return {};
}

Status check_finite(const char* name, std::span<const float> scales, int64_t per_row) {
  for (size_t i = 0; i < scales.size(); ++i) {
    if (std::isfinite(scales[i])) continue;
    const auto at = static_cast<int64_t>(i);
    return error(ErrorCode::invalid_argument, name, ": row ", at / per_row, ", group ",
                 at % per_row, " is ", scales[i], "; scales must be finite");
  }
  return {};
}

}  // namespace

Result<Scales> Scales::create(const PrepareOptions& options, int64_t rows, int64_t cols,
                              float of_values) {
  if (!std::isfinite(options.scale)) {
    return error(ErrorCode::invalid_argument, "scale: ", options.scale, "; it must be finite");
  }
  const bool grouped = !options.group_scales.empty();
  if (grouped ? options.group_size < 1 : options.group_size != 0) {
    return error(
        ErrorCode::invalid_argument, "group_size: ", options.group_size,
        grouped ? "; at least 1 is needed with group_scales" : " is given without group_scales");
  }
  Scales scales;
  scales.matrix_ = options.scale * of_values;
  if (!std::isfinite(scales.matrix_)) {
    return error(ErrorCode::invalid_argument, "scale: ", options.scale, " times the values' ",
                 of_values, " is ", scales.matrix_);
  }
  if (!options.row_scales.empty()) {
    RSR_RETURN_IF_ERROR(check_length("row_scales", options.row_scales, rows));
    RSR_RETURN_IF_ERROR(check_finite("row_scales", options.row_scales, 1));
    for (const float s : options.row_scales) scales.rows_.push_back(s * scales.matrix_);
    RSR_RETURN_IF_ERROR(check_finite("scale times row_scales", scales.rows_, 1));
  }
  if (grouped) {
    scales.group_size_ = std::min(options.group_size, cols);
    scales.group_count_ = (cols + scales.group_size_ - 1) / scales.group_size_;
    RSR_RETURN_IF_ERROR(
        check_length("group_scales", options.group_scales, rows * scales.group_count_));
    RSR_RETURN_IF_ERROR(check_finite("group_scales", options.group_scales, scales.group_count_));
    scales.groups_.resize(static_cast<size_t>((rows + 15) / 16 * 16 * scales.group_count_));
    for (int64_t r = 0; r < rows; ++r) {
      for (int64_t g = 0; g < scales.group_count_; ++g) {
        scales.groups_[static_cast<size_t>((r / 16 * scales.group_count_ + g) * 16 + r % 16)] =
            options.group_scales[r * scales.group_count_ + g] * scales.row(r);
        if (!std::isfinite(scales.group(r, g))) {
          return error(ErrorCode::invalid_argument, "group_scales: row ", r, ", group ", g,
                       " times the other scales is ", scales.group(r, g));
        }
      }
    }
  }
  return scales;
}

Scales Scales::restored(float matrix, std::vector<float> rows, std::vector<float> groups,
                        int64_t group_size, int64_t group_count) {
  Scales scales;
  scales.matrix_ = matrix;
  scales.rows_ = std::move(rows);
  scales.groups_ = std::move(groups);
  scales.group_size_ = group_size;
  scales.group_count_ = group_count;
  return scales;
}

int64_t Scales::nbytes() const {
  return static_cast<int64_t>((rows_.size() + groups_.size() + 1) * sizeof(float));
}

}  // namespace rsr::linear
