// The scan form as bytes, for files of prepared models.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "kernels/scan/scan.h"
#include "linear/head_scan_form.h"

namespace rsr::linear {
namespace {

int64_t round_up(int64_t count, int64_t unit) {
  return (count + unit - 1) / unit * unit;
}

constexpr int64_t kFloat = sizeof(float);

/// Bytes in front of the rows' values: shape, column factors, padding.
int64_t front_bytes(int64_t cols) {
  return round_up(static_cast<int64_t>(2 * sizeof(int64_t)) + cols * kFloat,
                  static_cast<int64_t>(base::kAlignment));
}

bool is_factor(float factor) {
  int exponent = 0;
  return factor >= 0x1p-20f && factor <= 0x1p20f && std::frexp(factor, &exponent) == 0.5f;
}

Status bad(const char* what) {
  return base::error(ErrorCode::corrupt_data, "scan form: ", what);
}

Status check_values(const HeadScanForm& form) {
  const auto factors = form.column_factors.span();
  if (!std::all_of(factors.begin(), factors.end(), is_factor)) {
    return bad("a column's factor is no power of two");
  }
  const auto values = form.row_values.span();
  const auto is_bound = [](float v) { return v >= 0 && std::isfinite(v); };
  if (std::all_of(values.begin(), values.end(), is_bound)) return {};
  return bad("a row's value is negative or not finite");
}

base::SharedSpan<uint8_t> copy_of(std::span<const uint8_t> lines) {
  const auto copy = std::make_shared<base::AlignedArray<uint8_t>>(lines.size());
  std::copy(lines.begin(), lines.end(), copy->data());
  return {copy->span(), copy};
}

}  // namespace

int64_t head_scan_form_bytes(const HeadScanForm& form) {
  return front_bytes(form.cols) + form.bytes() - form.cols * kFloat;
}

void write_head_scan_form(const HeadScanForm& form, std::span<std::byte> out) {
  RSR_CHECK_OP(static_cast<int64_t>(out.size()), ==, head_scan_form_bytes(form));
  std::byte* at = out.data();
  const auto put = [&](const void* data, size_t size) {
    std::memcpy(at, data, size);
    at += size;
  };
  put(&form.rows, sizeof form.rows);
  put(&form.cols, sizeof form.cols);
  put(form.column_factors.data(), form.column_factors.size() * sizeof(float));
  std::byte* values = out.data() + front_bytes(form.cols);
  std::fill(at, values, std::byte{0});
  at = values;
  put(form.row_values.data(), form.row_values.size() * sizeof(float));
  put(form.lines.data(), form.lines.size());
}

Result<HeadScanForm> read_head_scan_form(std::span<const std::byte> bytes,
                                         const std::shared_ptr<const void>& keeper) {
  constexpr int64_t kMostRows = int64_t{1} << 31;
  int64_t shape[2] = {};
  if (bytes.size() < sizeof shape) return bad("cut off");
  std::memcpy(shape, bytes.data(), sizeof shape);
  const auto [rows, cols] = std::pair(shape[0], shape[1]);
  if (rows < 1 || rows > kMostRows || cols < 1 || cols > kernels::kScanMaxCols) {
    return bad("impossible shape");
  }
  const int64_t padded_rows = round_up(rows, kernels::kScanTileRows);
  const int64_t values_end = front_bytes(cols) + padded_rows * HeadScanForm::kRowValues * kFloat;
  const int64_t line_bytes = padded_rows * round_up(cols, kernels::kScanStepCols);
  if (static_cast<int64_t>(bytes.size()) != values_end + line_bytes) {
    return bad("wrong length");
  }
  const std::byte* lines = bytes.data() + values_end;
  const auto* codes = reinterpret_cast<const uint8_t*>(lines);
  const bool aligned = reinterpret_cast<uintptr_t>(lines) % base::kAlignment == 0;
  const std::span<const uint8_t> given(codes, static_cast<size_t>(line_bytes));
  const bool viewed = keeper != nullptr && aligned;
  HeadScanForm form(rows, cols, viewed ? base::SharedSpan<uint8_t>(given, keeper) : copy_of(given));
  std::memcpy(form.column_factors.data(), bytes.data() + sizeof shape,
              form.column_factors.size() * sizeof(float));
  std::memcpy(form.row_values.data(), bytes.data() + front_bytes(cols),
              form.row_values.size() * sizeof(float));
  RSR_RETURN_IF_ERROR(check_values(form));
  form.summarise();
  return form;
}

}  // namespace rsr::linear
