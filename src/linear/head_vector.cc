#include "linear/head_vector.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/dense/dense.h"
#include "kernels/scan/scan.h"

namespace rsr::linear {
namespace {

using kernels::kScanStepCols;
using kernels::kScanXBytes;

constexpr double kUnit = 0x1p-24;  // u: half a unit in the last place of a float
constexpr double kEnlarge = 1 + 0x1p-18;

/// A power of two that leaves at most 15 bits and a sign: 127 * 256 + 127 at most, low bytes being
/// -128 to 127. Not below 2^-115, which is a normal float.
int exponent_for(double most) {
  constexpr double kMost = 127 * 256;
  int exponent = 0;
  const double mantissa = std::frexp(most, &exponent);  // most = mantissa * 2^exponent
  exponent -= mantissa * 0x1p15 > kMost ? 14 : 15;
  return std::max(exponent, -115);
}

/// Sums over the columns of what becomes of them.
struct Sums {
  int32_t high = 0;
  int32_t low = 0;
  double d_squares = 0;  // of x - a X
  double high_squares = 0;
  double low_squares = 0;
};

/// x_c t_c, in double: there it is exact.
struct Scaled {
  const float* x;
  const float* factors;
  size_t cols;

  double operator[](size_t c) const { return static_cast<double>(x[c]) * factors[c]; }
};

Sums write_planes(const Scaled& x, double scale, int8_t* planes) {
  constexpr double kShift = 0x1.8p52;  // adding and taking it rounds to an integer
  const double inverse = 1.0 / scale;  // exact, as is x * inverse
  Sums sums;
  for (size_t c = 0; c < x.cols; ++c) {
    const double value = x[c];
    const double nearest = (value * inverse + kShift) - kShift;
    const auto integer = static_cast<int32_t>(nearest);
    const int32_t high = (integer + 128) >> 8;
    const int32_t low = integer - 256 * high;
    int8_t* step = planes + c / kScanStepCols * kScanXBytes + c % kScanStepCols;
    step[0] = static_cast<int8_t>(high);
    step[kScanStepCols] = static_cast<int8_t>(low);
    sums.high += high;
    sums.low += low;
    sums.high_squares += static_cast<double>(high) * high;
    sums.low_squares += static_cast<double>(low) * low;
    const double d = value - nearest * scale;
    sums.d_squares += d * d;
  }
  return sums;
}

struct Split {
  double outliers = 0;  // sum of |x| over O
  double rest = 0;      // Euclidean norm of the others
};

/// Puts into O what lowers (sum over O of |x|) + ratio * |x_R|: columns above 2 |x_R| / ratio,
/// where its derivative changes sign. Each round shrinks |x_R| and with it the limit; few are
/// needed.
Split split_outliers(const Scaled& x, double x_norm, double ratio) {
  constexpr int kRounds = 4;
  Split best{0, x_norm};
  for (int round = 0; round < kRounds; ++round) {
    const double limit = 2 * best.rest / ratio;
    double outliers = 0;
    double squares = 0;
    for (size_t c = 0; c < x.cols; ++c) {
      const double magnitude = std::fabs(x[c]);
      const bool is_outlier = magnitude > limit;
      outliers += is_outlier ? magnitude : 0;
      squares += is_outlier ? 0 : magnitude * magnitude;
    }
    const Split next{outliers, std::sqrt(squares)};
    if (next.outliers + ratio * next.rest >= best.outliers + ratio * best.rest) break;
    best = next;
  }
  return best;
}

/// A factor of the bound, rounded up: 0, or far enough above it. Products with subnormal numbers
/// take 150 cycles each, which made a scan of 512 columns three times as slow.
float round_up(double value) {
  constexpr float kLeast = 1e-25f;
  if (value == 0) return 0;
  const float above =
      std::nextafter(static_cast<float>(value), std::numeric_limits<float>::infinity());
  return std::max(above, kLeast);
}

/// The norm, which overflows no double; not a number, or infinite, when x is.
double norm_of(const Scaled& x, double* most) {
  double squares = 0;
  for (size_t c = 0; c < x.cols; ++c) {
    const double value = x[c];
    squares += value * value;
    *most = std::max(*most, std::fabs(value));
  }
  return std::sqrt(squares);
}

}  // namespace

HeadVector make_head_vector(const float* values, const HeadScanForm& form, int8_t* planes) {
  const Scaled x{values, form.column_factors.data(), static_cast<size_t>(form.cols)};
  HeadVector result;
  double most = 0;
  const double norm = norm_of(x, &most);
  result.magnitude = norm;
  if (!(norm < kHeadMostMagnitude)) return result;
  const size_t steps = (x.cols + kScanStepCols - 1) / kScanStepCols;
  std::fill_n(planes, steps * kScanXBytes, int8_t{0});
  result.scale = std::ldexp(1.0f, exponent_for(most));
  const Sums sums = write_planes(x, result.scale, planes);
  result.high_correction = kernels::kScanZero * sums.high;
  result.low_correction = kernels::kScanZero * sums.low;
  const double d_norm = std::sqrt(sums.d_squares);
  const Split split = split_outliers(x, norm, form.error_ratio);
  const double planes_norm =
      result.scale * (256 * std::sqrt(sums.high_squares) + std::sqrt(sums.low_squares));
  const auto cols = static_cast<double>(form.cols);
  const double roundings = (std::ceil(cols / kernels::kDenseLanes) + 5) * kUnit;
  const double gamma = roundings / (1 - roundings);
  result.outliers = round_up(split.outliers * kEnlarge);
  result.rest = round_up((split.rest + d_norm) * kEnlarge);
  result.others = round_up((d_norm + gamma * norm + 8 * kUnit * planes_norm) * kEnlarge);
  result.magnitude = norm + planes_norm;
  return result;
}

}  // namespace rsr::linear
