// What becomes of a score before the choice, and of its bounds.
#pragma once

#include <bit>

#include "cuda/head/head.h"
#include "cuda/simt.h"

namespace rsr::cuda::RSR_SIMT {
namespace {

inline constexpr uint32_t kSign = 0x80000000U;
inline constexpr uint32_t kInfinityBits = 0x7F800000U;
inline constexpr float kMostFloat = 0x1.FFFFFEp127F;

/// The steps of Penalties::changed, one rounding each.
RSR_DEVICE double changed(const HeadQuery& query, const HeadChange& change, double score) {
  const double repetition = query.repetition;
  if (change.seen != 0) score = score < 0.0 ? score * repetition : score / repetition;
  if (change.biased != 0) score += change.bias;
  if (change.generated == 0) return score;
  const double presence = query.presence;
  const double frequency = query.frequency;
  return score - (presence + frequency * static_cast<double>(change.generated));
}

/// The largest float that is not above a number, and the least that is not below.
RSR_DEVICE float round_down(double value) {
  if (value > double{kMostFloat}) return kMostFloat;
  if (value < -double{kMostFloat}) return simt::from_bits(kInfinityBits | kSign);
  const auto nearest = static_cast<float>(value);
  if (static_cast<double>(nearest) <= value) return nearest;
  const uint32_t bits = simt::to_bits(nearest);
  if (nearest == 0.0f) return simt::from_bits(kSign | 1U);
  return simt::from_bits(bits < kSign ? bits - 1U : bits + 1U);
}
RSR_DEVICE float round_up(double value) {
  return -round_down(-value);
}

/// Numbers in the order of the floats.
RSR_DEVICE uint32_t order_of(float value) {
  const uint32_t bits = simt::to_bits(value);
  return bits < kSign ? bits | kSign : ~bits;
}
RSR_DEVICE float float_of(uint32_t order) {
  return simt::from_bits(order < kSign ? ~order : order & ~kSign);
}

RSR_DEVICE bool is_finite(float value) {
  return (simt::to_bits(value) & kInfinityBits) != kInfinityBits;
}

}  // namespace
}  // namespace rsr::cuda::RSR_SIMT
