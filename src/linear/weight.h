// What a Weight holds.
#pragma once

#include <string>
#include <variant>

#include "linear/rsr_weight.h"
#include "linear/scales.h"
#include "matrix/packed.h"
#include "rsr/linear.h"

namespace rsr {

struct Weight::Impl {
  int64_t rows;
  int64_t cols;
  double zero_share;  // zeros among the values, 0 to 1
  linear::Scales scales;
  std::variant<matrix::Packed, linear::RsrWeight> packed;
  Inputs inputs = Inputs::any;  // what it was prepared for
  Residency residency = Residency::memory;
  std::string notice;  // for Weight::notice()
};

}  // namespace rsr
