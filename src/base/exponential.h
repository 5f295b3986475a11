// exp(x) with the same bits on every machine: IEEE operations in a fixed order, none of them fused
// (-ffp-contract=off, -fmad=false). For the weights of a draw, which a GPU must add up to the very
// numbers of the host.
#pragma once

#include <bit>
#include <cstdint>

namespace rsr::base {

/// exp(x) of x <= 0, off by less than a unit in the last place; 0 below -708, where numbers would
/// be subnormal, and for NaN. (Constants and method are those of fdlibm.)
constexpr double exp_of_negative(double x) {
  constexpr double kLeast = -708;
  constexpr double kPerLn2 = 1.44269504088896338700e+00;
  constexpr double kLn2High = 6.93147180369123816490e-01;  // times any n of 21 bits: exact
  constexpr double kLn2Low = 1.90821492927058770002e-10;
  constexpr double kShift = 0x1.8p52;  // adding and taking it rounds to an integer
  constexpr double kP1 = 1.66666666666666019037e-01;
  constexpr double kP2 = -2.77777777770155933842e-03;
  constexpr double kP3 = 6.61375632143793436117e-05;
  constexpr double kP4 = -1.65339022054652515390e-06;
  constexpr double kP5 = 4.13813679705723846039e-08;
  if (!(x > kLeast)) return 0.0;
  const double n = (x * kPerLn2 + kShift) - kShift;
  const double high = x - n * kLn2High;
  const double low = n * kLn2Low;
  const double r = high - low;
  const double t = r * r;
  const double c = r - t * (kP1 + t * (kP2 + t * (kP3 + t * (kP4 + t * kP5))));
  const double y = 1.0 - ((low - (r * c) / (2.0 - c)) - high);
  const auto exponent = static_cast<uint64_t>(static_cast<int64_t>(n)) << 52;
  return std::bit_cast<double>(std::bit_cast<uint64_t>(y) + exponent);
}

}  // namespace rsr::base
