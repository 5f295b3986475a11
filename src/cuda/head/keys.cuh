// What becomes of a score before the choice, and numbers that tokens are ordered by.
#pragma once

#include <bit>

#include "base/token_weight.h"
#include "cuda/head/head.h"
#include "cuda/simt.h"

namespace rsr::cuda::RSR_SIMT {
namespace {

inline constexpr uint32_t kSign = 0x80000000U;
inline constexpr uint32_t kInfinityBits = 0x7F800000U;

RSR_DEVICE bool is_finite(float value) {
  return (simt::to_bits(value) & kInfinityBits) != kInfinityBits;
}

/// A score, or a bound of one, after the changes of its row.
RSR_DEVICE float score_of_row(const HeadQuery& query, const HeadChange* changes, int row,
                              float score) {
  if (query.changes == 0) return score;
  for (int i = query.overrides - 1; i >= 0; --i) {
    if (query.override[i].id == row) {
      return changed(query.penalties, query.override[i].change, score);
    }
  }
  return changed(query.penalties, changes[row], score);
}

/// Numbers in the order of the floats.
RSR_DEVICE uint32_t order_of(float value) {
  const uint32_t bits = simt::to_bits(value);
  return bits < kSign ? bits | kSign : ~bits;
}
RSR_DEVICE float float_of(uint32_t order) {
  return simt::from_bits(order < kSign ? ~order : order & ~kSign);
}

/// Keys: the better first, the lower id among equals. Both zeros are equal.
RSR_DEVICE uint64_t key_of(uint64_t value, int32_t id) {
  return value << kHeadIdBits | static_cast<uint64_t>(kHeadMostRows - 1 - id);
}
RSR_DEVICE uint64_t key_of_score(float score, int32_t id) {
  return key_of(order_of(score == 0.0f ? 0.0f : score), id);
}
RSR_DEVICE uint64_t value_of(uint64_t key) {
  return key >> kHeadIdBits;
}
RSR_DEVICE float score_of(uint64_t key) {
  return float_of(static_cast<uint32_t>(value_of(key)));
}
RSR_DEVICE int32_t id_of(uint64_t key) {
  return kHeadMostRows - 1 - static_cast<int32_t>(key & (kHeadMostRows - 1));
}

/// The weight of a score beside the best one.
RSR_DEVICE uint64_t weight_of(const HeadQuery& query, float score, float best) {
  return base::token_weight(static_cast<double>(score) - static_cast<double>(best),
                            static_cast<double>(query.temperature));
}

}  // namespace
}  // namespace rsr::cuda::RSR_SIMT
