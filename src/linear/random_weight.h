// Random ternary weights made in packed form, for benchmarks of models that are not there.
#pragma once

#include <cstdint>

#include "base/cpu.h"
#include "rsr/linear.h"

namespace rsr::linear {

struct RandomWeight {
  int64_t rows = 0;
  int64_t cols = 0;
  Inputs inputs = Inputs::int8;
  base::Isa isa = base::Isa::reference;  // packed for its kernels, as prepare() would
  uint64_t seed = 0;
};

/// Values -1, 0 and 1 alike, and a scale that gives products of independent inputs of variance 1
/// the variance 1. Uses one thread, no memory besides the weight, and no matrix of values.
Weight random_weight(const RandomWeight& wanted);

/// Bytes of its packed lines, without making it.
int64_t random_weight_bytes(const RandomWeight& wanted);

}  // namespace rsr::linear
