#include "linear/head_scan_form.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/float16.h"
#include "kernels/scan/scan.h"

namespace rsr::linear {
namespace {

using kernels::kScanLineBytes;
using kernels::kScanStepCols;
using kernels::kScanTileRows;

// Rows outside are all error: products with their scales might not be ordinary numbers.
constexpr float kLeastScale = 1e-30f;
constexpr double kMostValue = 1e30;
// Above the rounding of sums of kScanMaxCols squares in double.
constexpr double kSumSlack = 1 + 1e-10;

constexpr float kInfinity = std::numeric_limits<float>::infinity();

/// The least float that is not below a number.
float round_up(double value) {
  const auto nearest = static_cast<float>(value);
  return static_cast<double>(nearest) >= value ? nearest : std::nextafter(nearest, kInfinity);
}

// Columns that are worked on together. GCC 12 vectorises loops over 64 of them, while those over 8
// are unrolled into scalars first, which takes twice as long.
constexpr int kLanes = 64;

/// What codes miss of a row, over columns modulo kLanes.
struct RowError {
  double squares[kLanes] = {};
  double error_squares[kLanes] = {};
  double error_max[kLanes] = {};

  void add(const double* values, const double* codes, double scale) {
    for (int l = 0; l < kLanes; ++l) {
      const double missed = std::fabs(values[l] - scale * codes[l]);
      squares[l] += values[l] * values[l];
      error_squares[l] += missed * missed;
      error_max[l] = error_max[l] < missed ? missed : error_max[l];
    }
  }
};

double sum(const double (&lanes)[kLanes]) {
  double total = 0;
  for (const double lane : lanes) total += lane;
  return total;
}
double largest(const double (&lanes)[kLanes]) {
  return *std::max_element(lanes, lanes + kLanes);
}

/// A row of a table on its way into eight bits.
template <float (*widen)(uint16_t)>
class Row {
 public:
  Row(const uint16_t* w, const std::vector<double>& inverse_factors)
      : w_(w),
        inverse_factors_(inverse_factors.data()),
        cols_(static_cast<int64_t>(inverse_factors.size())) {}

  double largest_value() const {
    double values[kLanes];
    double most[kLanes] = {};
    for (int64_t c = 0; c < cols_; c += kLanes) {
      read(c, values);
      for (int l = 0; l < kLanes; ++l) {
        const double value = std::fabs(values[l]);
        most[l] = most[l] < value ? value : most[l];
      }
    }
    return largest(most);
  }

  /// Writes the codes, `codes` being the first of them; columns that pad a step become zeros.
  RowError encode(double scale, uint8_t* codes) const {
    constexpr double kShift = 0x1.8p52;  // adding and taking it rounds; lrint() is a call
    const double inverse = scale > 0 ? 1.0 / scale : 0.0;
    RowError error;
    double values[kLanes];
    double rounded[kLanes];
    uint8_t some[kLanes];
    for (int64_t c = 0; c < cols_; c += kLanes) {
      read(c, values);
      for (int l = 0; l < kLanes; ++l) rounded[l] = (values[l] * inverse + kShift) - kShift;
      error.add(values, rounded, scale);
      for (int l = 0; l < kLanes; ++l) {
        some[l] = static_cast<uint8_t>(static_cast<int>(rounded[l]) + kernels::kScanZero);
      }
      for (int l = 0; l < kLanes && c + l < cols_; l += kScanStepCols) {
        std::memcpy(codes + (c + l) / kScanStepCols * kScanLineBytes, some + l, kScanStepCols);
      }
    }
    return error;
  }

 private:
  /// The values that codes stand for, from column c on: exact, factors being powers of two. Zeros
  /// past the end.
  void read(int64_t c, double* values) const {
    if (c + kLanes <= cols_) {
      for (int l = 0; l < kLanes; ++l) values[l] = widen(w_[c + l]) * inverse_factors_[c + l];
      return;
    }
    for (int l = 0; l < kLanes; ++l) {
      values[l] = c + l < cols_ ? widen(w_[c + l]) * inverse_factors_[c + l] : 0.0;
    }
  }

  const uint16_t* w_;
  const double* inverse_factors_;
  int64_t cols_;
};

template <float (*widen)(uint16_t)>
void make_row(const Dense& table, int64_t row, const std::vector<double>& inverse_factors,
              uint8_t* lines, HeadScanForm& form) {
  const Row<widen> source(table.weight + row * table.cols, inverse_factors);
  // Rounded up, so that no integer passes 127.
  const double most = source.largest_value();
  float scale = most < kMostValue ? round_up(most / 127) : 0.0f;
  if (scale < kLeastScale) scale = 0;
  uint8_t* tile = lines + row / kScanTileRows * form.steps() * kScanLineBytes;
  const RowError error = source.encode(scale, tile + row % kScanTileRows * kScanStepCols);
  const int64_t padded = form.padded_rows();
  float* values = form.row_values.data() + row;
  values[HeadScanForm::scale * padded] = scale;
  values[HeadScanForm::error_max * padded] = round_up(largest(error.error_max) * kSumSlack);
  const double error_norm = std::sqrt(sum(error.error_squares)) * kSumSlack;
  values[HeadScanForm::error_norm * padded] = round_up(error_norm);
  values[HeadScanForm::norm * padded] =
      round_up(std::sqrt(sum(error.squares)) * kSumSlack + error_norm);
}

/// The root mean square of each column against that of all, as the nearest power of two. Some rows
/// tell: any factors are right, and these need not be the best.
template <float (*widen)(uint16_t)>
void choose_factors(const Dense& table, HeadScanForm& form) {
  constexpr int64_t kRows = 4096;
  constexpr int kMostExponent = 20;
  std::vector<double> squares(static_cast<size_t>(table.cols));
  for (int64_t r = 0; r < table.rows; r += (table.rows + kRows - 1) / kRows) {
    const uint16_t* w = table.weight + r * table.cols;
    for (int64_t c = 0; c < table.cols; ++c) {
      const double value = widen(w[c]);
      squares[static_cast<size_t>(c)] += value * value;
    }
  }
  double mean = 0;
  for (const double square : squares) mean += square / static_cast<double>(table.cols);
  for (size_t c = 0; c < squares.size(); ++c) {
    const bool known = squares[c] > 0 && std::isfinite(mean);
    const auto exponent = known ? std::lround(0.5 * std::log2(squares[c] / mean)) : 0;
    form.column_factors[c] = std::ldexp(
        1.0f, static_cast<int>(std::clamp<long>(exponent, -kMostExponent, kMostExponent)));
  }
}

}  // namespace

HeadScanForm::HeadScanForm(int64_t row_count, int64_t col_count,
                           base::SharedSpan<uint8_t> given_lines)
    : rows(row_count),
      cols(col_count),
      lines(std::move(given_lines)),
      row_values(static_cast<size_t>(kRowValues * padded_rows())),
      column_factors(static_cast<size_t>(cols)) {}

void HeadScanForm::summarise() {
  const float* max_of = values(error_max);
  const float* norm_of = values(error_norm);
  double ratios = 0;
  int64_t count = 0;
  largest_norm = 0;
  for (int64_t r = 0; r < rows; ++r) {
    largest_norm = std::max(largest_norm, values(norm)[r]);
    if (max_of[r] == 0) continue;
    ratios += static_cast<double>(norm_of[r]) / max_of[r];
    ++count;
  }
  error_ratio = count > 0 ? ratios / static_cast<double>(count) : 1;
}

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
  const size_t floats = row_values.size() + column_factors.size();
  return static_cast<int64_t>(lines.size() + floats * sizeof(float));
}

std::optional<HeadScanForm> make_head_scan_form(Context::Impl& context, const Dense& table) {
  if (table.cols > kernels::kScanMaxCols) return std::nullopt;
  HeadScanForm form(table.rows, table.cols, {});
  const auto size = static_cast<size_t>(form.tiles() * form.steps() * kScanLineBytes);
  const auto lines = std::make_shared<base::AlignedArray<uint8_t>>(size);
  form.lines = {lines->span(), lines};
  const bool bf16 = table.format == Float16::bf16;
  (bf16 ? choose_factors<base::from_bf16> : choose_factors<base::from_f16>)(table, form);
  std::vector<double> inverse_factors;
  for (const float factor : form.column_factors.span()) inverse_factors.push_back(1.0 / factor);
  auto* make = bf16 ? make_row<base::from_bf16> : make_row<base::from_f16>;
  context.pool.parallel_for(table.rows, [&](base::Range rows) {
    for (int64_t r = rows.begin; r < rows.end; ++r)
      make(table, r, inverse_factors, lines->data(), form);
  });
  form.summarise();
  return form;
}

}  // namespace rsr::linear
