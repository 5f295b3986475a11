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

bool is_factor(float factor) {
  int exponent = 0;
  return factor >= 0x1p-20f && factor <= 0x1p20f && std::frexp(factor, &exponent) == 0.5f;
}

}  // namespace

int64_t head_scan_form_bytes(const HeadScanForm& form) {
  return static_cast<int64_t>(2 * sizeof(int64_t)) + form.bytes();
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
  put(form.row_values.data(), form.row_values.size() * sizeof(float));
  put(form.lines.data(), form.lines.size());
}

Result<HeadScanForm> read_head_scan_form(std::span<const std::byte> bytes) {
  const auto bad = [](const char* what) { return base::error(ErrorCode::corrupt_data, what); };
  constexpr int64_t kMostRows = int64_t{1} << 31;
  int64_t shape[2] = {};
  if (bytes.size() < sizeof shape) return bad("scan form: cut off");
  std::memcpy(shape, bytes.data(), sizeof shape);
  const auto [rows, cols] = std::pair(shape[0], shape[1]);
  if (rows < 1 || rows > kMostRows || cols < 1 || cols > kernels::kScanMaxCols) {
    return bad("scan form: impossible shape");
  }
  constexpr int64_t kFloat = sizeof(float);
  const int64_t row_bytes =
      HeadScanForm::kRowValues * kFloat + round_up(cols, kernels::kScanStepCols);
  const int64_t size = static_cast<int64_t>(sizeof shape) + cols * kFloat +
                       round_up(rows, kernels::kScanTileRows) * row_bytes;
  if (static_cast<int64_t>(bytes.size()) != size) return bad("scan form: wrong length");
  HeadScanForm form(rows, cols);
  const std::byte* at = bytes.data() + sizeof shape;
  const auto take = [&](auto& array) {
    const size_t count = array.size() * sizeof(array[0]);
    std::memcpy(array.data(), at, count);
    at += count;
  };
  take(form.column_factors);
  take(form.row_values);
  take(form.lines);
  const auto factors = form.column_factors.span();
  if (!std::all_of(factors.begin(), factors.end(), is_factor)) {
    return bad("scan form: a column's factor is no power of two");
  }
  const auto values = form.row_values.span();
  if (!std::all_of(values.begin(), values.end(),
                   [](float v) { return v >= 0 && std::isfinite(v); })) {
    return bad("scan form: a row's value is negative or not finite");
  }
  form.summarise();
  return form;
}

}  // namespace rsr::linear
