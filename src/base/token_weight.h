// How likely tokens are beside the likeliest one, as integers. Sums of integers are exact, so that
// every order of additions gives the same draw: a GPU adds in thousands of threads what the host
// adds one after the other.
#pragma once

#include <cstdint>

#include "base/exponential.h"

namespace rsr::base {

/// Of the likeliest token; the sum of 2^24 of them fits in 64 bits. A token less than half of
/// 2^-39 times as likely weighs nothing.
inline constexpr int kFullWeightBits = 39;
inline constexpr uint64_t kFullWeight = uint64_t{1} << kFullWeightBits;

/// exp(below / temperature), to the nearest integer of such a unit; `below` is the score less the
/// best score, `temperature` above 0.
constexpr uint64_t token_weight(double below, double temperature) {
  if (below == 0.0) return kFullWeight;
  constexpr double kFull = kFullWeight;
  constexpr double kShift = 0x1.8p52;  // adding and taking it rounds to an integer
  return static_cast<uint64_t>((exp_of_negative(below / temperature) * kFull + kShift) - kShift);
}

/// A part of a sum, rounded down: `fraction` is in units of 2^-64. Below the sum, where that is not
/// 0.
constexpr uint64_t part_of(uint64_t fraction, uint64_t sum) {
  constexpr uint64_t kLow = 0xFFFFFFFFU;
  const uint64_t low = (fraction & kLow) * (sum & kLow);
  const uint64_t middle = (fraction >> 32) * (sum & kLow) + (low >> 32);
  const uint64_t other = (fraction & kLow) * (sum >> 32) + (middle & kLow);
  return (fraction >> 32) * (sum >> 32) + (middle >> 32) + (other >> 32);
}
/// The same rounded up.
constexpr uint64_t part_or_more_of(uint64_t fraction, uint64_t sum) {
  return part_of(fraction, sum) + (fraction * sum != 0 ? 1 : 0);
}

}  // namespace rsr::base
