#include "linear/scales.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "base/check.h"

namespace rsr::linear {
namespace {

using base::error;
using SharedSpan = base::SharedSpan<float>;

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

/// One scale per row, the matrix's multiplied in.
Result<SharedSpan> rows_of(std::span<const float> given, int64_t rows, float matrix) {
  RSR_RETURN_IF_ERROR(check_length("row_scales", given, rows));
  RSR_RETURN_IF_ERROR(check_finite("row_scales", given, 1));
  std::vector<float> scales;
  scales.reserve(given.size());
  for (const float s : given) scales.push_back(s * matrix);
  RSR_RETURN_IF_ERROR(check_finite("scale times row_scales", scales, 1));
  return SharedSpan(std::move(scales));
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
    RSR_ASSIGN_OR_RETURN(scales.rows_, rows_of(options.row_scales, rows, scales.matrix_));
  }
  if (grouped) {
    scales.group_size_ = std::min(options.group_size, cols);
    scales.group_count_ = (cols + scales.group_size_ - 1) / scales.group_size_;
    RSR_ASSIGN_OR_RETURN(scales.groups_, scales.groups_of(options.group_scales, rows));
  }
  return scales;
}

Result<SharedSpan> Scales::groups_of(std::span<const float> given, int64_t rows) const {
  RSR_RETURN_IF_ERROR(check_length("group_scales", given, rows * group_count_));
  RSR_RETURN_IF_ERROR(check_finite("group_scales", given, group_count_));
  std::vector<float> groups(static_cast<size_t>((rows + 15) / 16 * 16 * group_count_));
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t g = 0; g < group_count_; ++g) {
      const float product = given[r * group_count_ + g] * row(r);
      groups[static_cast<size_t>((r / 16 * group_count_ + g) * 16 + r % 16)] = product;
      if (!std::isfinite(product)) {
        return error(ErrorCode::invalid_argument, "group_scales: row ", r, ", group ", g,
                     " times the other scales is ", product);
      }
    }
  }
  return SharedSpan(std::move(groups));
}

Scales Scales::restored(float matrix, SharedSpan rows, SharedSpan groups, int64_t group_size,
                        int64_t group_count) {
  Scales scales;
  scales.matrix_ = matrix;
  scales.rows_ = std::move(rows);
  scales.groups_ = std::move(groups);
  scales.group_size_ = group_size;
  scales.group_count_ = group_count;
  return scales;
}

Scales Scales::copied() const {
  return restored(matrix_, rows_.copied(), groups_.copied(), group_size_, group_count_);
}

int64_t Scales::nbytes() const {
  return static_cast<int64_t>((rows_.size() + groups_.size() + 1) * sizeof(float));
}

}  // namespace rsr::linear
