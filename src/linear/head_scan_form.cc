#include "linear/head_scan_form.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "base/check.h"
#include "base/float16.h"
#include "kernels/scan/scan.h"

namespace rsr::linear {
namespace {

using kernels::kScanLineBytes;
using kernels::kScanStepCols;
using kernels::kScanTileRows;

// Below this a scale's reciprocal overflows; such rows are all error.
constexpr float kLeastScale = 1e-30f;
// Above the rounding of sums of kScanMaxCols squares in double.
constexpr double kSumSlack = 1 + 1e-10;

/// The least float that is not below a number.
float round_up(double value) {
  const auto nearest = static_cast<float>(value);
  return static_cast<double>(nearest) >= value
             ? nearest
             : std::nextafter(nearest, std::numeric_limits<float>::infinity());
}

/// The nearest integer of |value| < 2^22, ties to even; in place of lrint(), which is a call.
float nearest_integer(float value) {
  constexpr float kShift = 0x1.8p23f;
  return (value + kShift) - kShift;
}

struct RowError {
  double squares = 0;
  double error_squares = 0;
  double error_max = 0;
};

/// Writes the codes of a row, `codes` being its first byte, and says what they miss.
template <float (*widen)(uint16_t)>
RowError encode_row(const uint16_t* w, int64_t cols, float scale, uint8_t* codes) {
  const float inverse = scale > 0 ? 1.0f / scale : 0.0f;
  RowError sums;
  for (int64_t c = 0; c < cols; ++c) {
    const float value = widen(w[c]);
    const float q = nearest_integer(value * inverse);
    const double error = static_cast<double>(value) - static_cast<double>(scale) * q;
    sums.squares += static_cast<double>(value) * value;
    sums.error_squares += error * error;
    sums.error_max = std::max(sums.error_max, std::fabs(error));
    codes[c / kScanStepCols * kScanLineBytes + c % kScanStepCols] =
        static_cast<uint8_t>(static_cast<int>(q) + kernels::kScanZero);
  }
  return sums;
}

template <float (*widen)(uint16_t)>
void make_row(const Dense& table, int64_t row, HeadScanForm& form) {
  const uint16_t* w = table.weight + row * table.cols;
  float most = 0;
  for (int64_t c = 0; c < table.cols; ++c) most = std::max(most, std::fabs(widen(w[c])));
  // Rounded up, so that no integer passes 127.
  float scale = round_up(static_cast<double>(most) / 127);
  if (scale < kLeastScale) scale = 0;
  uint8_t* tile = form.lines.data() + row / kScanTileRows * form.steps() * kScanLineBytes;
  const RowError sums =
      encode_row<widen>(w, table.cols, scale, tile + row % kScanTileRows * kScanStepCols);
  const int64_t padded = form.padded_rows();
  float* values = form.row_values.data() + row;
  values[HeadScanForm::scale * padded] = scale;
  values[HeadScanForm::error_max * padded] = round_up(sums.error_max * kSumSlack);
  const double error_norm = std::sqrt(sums.error_squares) * kSumSlack;
  values[HeadScanForm::error_norm * padded] = round_up(error_norm);
  values[HeadScanForm::norm * padded] = round_up(std::sqrt(sums.squares) * kSumSlack + error_norm);
}

void allocate(HeadScanForm& form, int64_t rows, int64_t cols) {
  form.rows = rows;
  form.cols = cols;
  form.lines = base::AlignedArray<uint8_t>(
      static_cast<size_t>(form.tiles() * form.steps() * kScanLineBytes));
  form.row_values =
      base::AlignedArray<float>(static_cast<size_t>(HeadScanForm::kRowValues * form.padded_rows()));
}

/// What is told of all rows together.
void summarise(HeadScanForm& form) {
  const float* error_max = form.values(HeadScanForm::error_max);
  const float* error_norm = form.values(HeadScanForm::error_norm);
  const float* norm = form.values(HeadScanForm::norm);
  double ratios = 0;
  int64_t count = 0;
  for (int64_t r = 0; r < form.rows; ++r) {
    form.largest_norm = std::max(form.largest_norm, norm[r]);
    if (error_max[r] == 0) continue;
    ratios += static_cast<double>(error_norm[r]) / error_max[r];
    ++count;
  }
  form.error_ratio = count > 0 ? ratios / static_cast<double>(count) : 1;
}

}  // namespace

int64_t HeadScanForm::tiles() const {
  return (rows + kScanTileRows - 1) / kScanTileRows;
}

int64_t HeadScanForm::steps() const {
  return (cols + kScanStepCols - 1) / kScanStepCols;
}

int64_t HeadScanForm::padded_rows() const {
  return tiles() * kScanTileRows;
}

int64_t HeadScanForm::bytes() const {
  return static_cast<int64_t>(lines.size() + row_values.size() * sizeof(float));
}

std::optional<HeadScanForm> make_head_scan_form(Context::Impl& context, const Dense& table) {
  if (table.cols > kernels::kScanMaxCols) return std::nullopt;
  HeadScanForm form;
  allocate(form, table.rows, table.cols);
  const bool bf16 = table.format == Float16::bf16;
  auto* make = bf16 ? make_row<base::from_bf16> : make_row<base::from_f16>;
  context.pool.parallel_for(table.rows, [&](base::Range rows) {
    for (int64_t r = rows.begin; r < rows.end; ++r) make(table, r, form);
  });
  summarise(form);
  return form;
}

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
  HeadScanForm form;
  form.rows = rows;
  form.cols = cols;
  const int64_t row_bytes =
      HeadScanForm::kRowValues * static_cast<int64_t>(sizeof(float)) + form.steps() * kScanStepCols;
  const int64_t size = static_cast<int64_t>(sizeof shape) + form.padded_rows() * row_bytes;
  if (static_cast<int64_t>(bytes.size()) != size) return bad("scan form: wrong length");
  allocate(form, rows, cols);
  const std::byte* at = bytes.data() + sizeof shape;
  std::memcpy(form.row_values.data(), at, form.row_values.size() * sizeof(float));
  std::memcpy(form.lines.data(), at + form.row_values.size() * sizeof(float), form.lines.size());
  const bool valid =
      std::all_of(form.row_values.data(), form.row_values.data() + form.row_values.size(),
                  [](float v) { return std::isfinite(v) && v >= 0; });
  if (!valid) return bad("scan form: a row's value is negative or not finite");
  summarise(form);
  return form;
}

}  // namespace rsr::linear
