// States of tokens as integers of 16 bits, and their parts of the bound: linear/head_vector.cc in
// the threads of a block, a step of four columns each.
//
// Sums of doubles have another order than there, so that factors may differ in the last places. A
// sum of n terms that are not negative is off by less than n * 2^-53 of itself in any order: 2^-37
// for the most columns, far below the 2^-18 by which the factors are enlarged. Sums of integers are
// exact.
#include <cmath>

#include "cuda/head/keys.cuh"
#include "cuda/launch.h"

namespace rsr::cuda::RSR_SIMT {
namespace {

constexpr int kThreads = 1024;
constexpr int kWarps = kThreads / simt::kWarp;
constexpr int kMostSums = 5;
constexpr double kUnit = 0x1p-24;
constexpr double kEnlarge = 1 + 0x1p-18;
constexpr double kMostMagnitude = 1e30;

struct Shared {
  double of_warps[kMostSums][kWarps];
};

struct Sum {
  RSR_DEVICE double operator()(double a, double b) const { return a + b; }
};
struct Largest {
  RSR_DEVICE double operator()(double a, double b) const { return a < b ? b : a; }
};

/// Each value over all threads of the block, for all of them.
template <int n, class Op>
RSR_DEVICE void over_block(Shared& s, double (&values)[n], const Op& op) {
  simt::sync();  // what was here has been read
  RSR_UNROLL
  for (int i = 0; i < n; ++i) {
    RSR_UNROLL
    for (int mask = simt::kWarp / 2; mask > 0; mask /= 2) {
      values[i] = op(values[i], simt::shuffle_xor(values[i], mask));
    }
    if (simt::lane() == 0) s.of_warps[i][simt::warp()] = values[i];
  }
  simt::sync();
  RSR_UNROLL
  for (int i = 0; i < n; ++i) {
    values[i] = s.of_warps[i][simt::lane()];
    RSR_UNROLL
    for (int mask = kWarps / 2; mask > 0; mask /= 2) {
      values[i] = op(values[i], simt::shuffle_xor(values[i], mask));
    }
  }
}

/// x_c t_c, in double: there it is exact. Zeros behind the last column.
RSR_DEVICE double scaled(const HeadVector& p, int c) {
  if (c >= p.cols) return 0.0;
  const float x = p.x[int64_t{simt::block_x()} * p.cols + c];
  return static_cast<double>(x) * static_cast<double>(p.column_factors[c]);
}

/// Calls visit(value) for this thread's share of the columns.
template <class Visit>
RSR_DEVICE void each_column(const HeadVector& p, const Visit& visit) {
  for (int c = simt::thread(); c < p.cols; c += kThreads) visit(scaled(p, c));
}

/// A power of two that leaves at most 127 * 256 + 127, not below 2^-115.
RSR_DEVICE float scale_for(double most) {
  constexpr double kMost = 127 * 256;
  constexpr uint64_t kFraction = (uint64_t{1} << 52) - 1;
  constexpr uint64_t kHalf = uint64_t{1022} << 52;
  const auto bits = std::bit_cast<uint64_t>(most);  // = mantissa * 2^exponent
  int exponent = most > 0.0 ? static_cast<int>(bits >> 52) - 1022 : 0;
  const double mantissa = most > 0.0 ? std::bit_cast<double>((bits & kFraction) | kHalf) : 0.0;
  exponent -= mantissa * 0x1p15 > kMost ? 14 : 15;
  if (exponent < -115) exponent = -115;
  return simt::from_bits(static_cast<uint32_t>(exponent + 127) << 23);
}

/// What sums up over the columns while they become integers.
struct PlaneSums {
  enum { high, low, error_squares, high_squares, low_squares, kCount };
  double of[kCount] = {};
};

/// Four columns, as a word of each plane.
struct PlaneWords {
  uint32_t high = 0;
  uint32_t low = 0;
};
RSR_DEVICE PlaneWords make_step(const HeadVector& p, int step, double scale, PlaneSums& sums) {
  constexpr double kShift = 0x1.8p52;  // adding and taking it rounds to an integer
  const double inverse = 1.0 / scale;  // exact, as is x * inverse
  PlaneWords words;
  RSR_UNROLL
  for (int i = 0; i < kernels::kScanStepCols; ++i) {
    const double value = scaled(p, step * kernels::kScanStepCols + i);
    const double nearest = (value * inverse + kShift) - kShift;
    const auto integer = static_cast<int32_t>(nearest);
    const int32_t high = (integer + 128) >> 8;
    const int32_t low = integer - 256 * high;
    words.high |= (static_cast<uint32_t>(high) & 0xFFU) << 8 * i;
    words.low |= (static_cast<uint32_t>(low) & 0xFFU) << 8 * i;
    const double missed = value - nearest * scale;
    sums.of[PlaneSums::high] += high;
    sums.of[PlaneSums::low] += low;
    sums.of[PlaneSums::error_squares] += missed * missed;
    sums.of[PlaneSums::high_squares] += static_cast<double>(high) * high;
    sums.of[PlaneSums::low_squares] += static_cast<double>(low) * low;
  }
  return words;
}

RSR_DEVICE void write_planes(const HeadVector& p, double scale, PlaneSums& sums) {
  constexpr int kStepCols = kernels::kScanStepCols;
  const int steps = (p.cols + kStepCols - 1) / kStepCols;
  const int chunks = (steps + kHeadChunkSteps - 1) / kHeadChunkSteps;
  uint32_t* planes =
      p.planes + simt::block_x() * (head_plane_bytes(steps) / static_cast<int64_t>(sizeof *planes));
  for (int step = simt::thread(); step < chunks * kHeadChunkSteps; step += kThreads) {
    const PlaneWords words = make_step(p, step, scale, sums);
    const int in_chunk = step % kHeadChunkSteps;
    uint32_t* to = planes + (step - in_chunk) * 2 + in_chunk % 4 * 8 + in_chunk / 4;
    to[0] = words.high;
    to[4] = words.low;
  }
}

struct Split {
  double outliers;
  double rest;
};

/// As in linear/head_vector.cc. Whatever is chosen for outliers, the bound holds.
RSR_DEVICE Split split_outliers(Shared& s, const HeadVector& p, double norm) {
  constexpr int kRounds = 4;
  const double ratio = p.error_ratio;
  Split best = {0, norm};
  for (int round = 0; round < kRounds; ++round) {
    const double limit = 2 * best.rest / ratio;
    double sums[2] = {};
    each_column(p, [&](double value) {
      const double magnitude = std::fabs(value);
      if (magnitude > limit) {
        sums[0] += magnitude;
      } else {
        sums[1] += magnitude * magnitude;
      }
    });
    over_block(s, sums, Sum());
    const Split next = {sums[0], std::sqrt(sums[1])};
    if (next.outliers + ratio * next.rest >= best.outliers + ratio * best.rest) break;
    best = next;
  }
  return best;
}

/// A factor of the bound, enlarged: 0, or above 1e-25.
RSR_DEVICE float factor(double value) {
  constexpr float kLeast = 1e-25f;
  if (value == 0) return 0;
  const float above = simt::from_bits(simt::to_bits(static_cast<float>(value * kEnlarge)) + 1U);
  return above < kLeast ? kLeast : above;
}

RSR_KERNEL(kThreads) make_vector(HeadVector p) {
  auto& s = simt::shared<Shared>();
  simt::wait_for_previous();
  double squares[1] = {};
  double most[1] = {};
  each_column(p, [&](double value) {
    squares[0] += value * value;
    most[0] = Largest()(most[0], std::fabs(value));
  });
  over_block(s, squares, Sum());
  over_block(s, most, Largest());
  const double norm = std::sqrt(squares[0]);
  if (!(norm < kMostMagnitude)) {  // or NaN
    if (simt::thread() == 0) p.factors[simt::block_x()].vouched = 0;
    return;
  }
  HeadFactors result;
  result.scale = scale_for(most[0]);
  PlaneSums sums;
  write_planes(p, result.scale, sums);
  over_block(s, sums.of, Sum());
  const Split split = split_outliers(s, p, norm);
  if (simt::thread() != 0) return;
  const double error = std::sqrt(sums.of[PlaneSums::error_squares]);
  const double planes =
      result.scale * (256 * std::sqrt(sums.of[PlaneSums::high_squares]) +
                      std::sqrt(sums.of[PlaneSums::low_squares]));  // P of linear/head_scan.h
  constexpr int kDenseLanes = 16;
  const double roundings = ((p.cols + kDenseLanes - 1) / kDenseLanes + 5) * kUnit;
  const double gamma = roundings / (1 - roundings);
  result.high_correction = kernels::kScanZero * static_cast<int32_t>(sums.of[PlaneSums::high]);
  result.low_correction = kernels::kScanZero * static_cast<int32_t>(sums.of[PlaneSums::low]);
  result.outliers = factor(split.outliers);
  result.rest = factor(split.rest + error);
  result.others = factor(error + gamma * norm + 8 * kUnit * planes);
  const double largest = p.largest_norm > 1.0f ? p.largest_norm : 1.0f;
  result.vouched = largest * (norm + planes) < kMostMagnitude ? 1 : 0;
  p.factors[simt::block_x()] = result;
}

}  // namespace

Status head_vector(int device, void* stream, const HeadVector& p) {
  return launch(device, stream, {p.states, 1, kThreads, sizeof(Shared)}, make_vector, p);
}

}  // namespace rsr::cuda::RSR_SIMT
