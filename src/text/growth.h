// How much longer a text may become on its way to the tokens.
#pragma once

#include <cstddef>

#include "base/check.h"
#include "rsr/status.h"

namespace rsr::text {

/// Components that lengthen a text multiply when they follow each other, so that a small file could
/// ask for gigabytes. Unicode's own normal forms make at most 11 bytes of one.
inline Status check_growth(size_t before, size_t after) {
  constexpr size_t kFactor = 16;
  constexpr size_t kFree = size_t{64} << 10;
  if (after <= kFactor * before + kFree) return {};
  return base::error(ErrorCode::limit_exceeded, "a text of ", before, " bytes becomes ", after,
                     " by normalizing or cutting it");
}

}  // namespace rsr::text
