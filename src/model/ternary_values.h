// Float matrices that hold ternary numbers in truth: found by looking at every one of them.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "io/safetensors.h"

namespace rsr::model {

/// A matrix whose numbers are -s, 0 or s, one s for each block of columns of a row:
/// W[r][c] = values[r][c] * scales[r][c / width], exactly (a stored -0 is a 0).
struct TernaryValues {
  std::vector<int8_t> values;  // [rows, cols]
  std::vector<float> scales;   // [rows, cols / width]; 0 for a block of zeros
  int64_t width = 0;           // columns of a block, a divisor of cols; cols: one scale per row
};

/// Widths that are tried, the widest first: the whole row, halves, quarters and so on down to 64
/// columns (shards of training), and all multiples of 128 (groups of quantised formats).
std::vector<int64_t> block_widths(int64_t cols);

/// The widest blocks that fit every number of a float matrix [rows, cols], or nothing. Each width
/// is given up at its first contradiction, so that a dense matrix costs a few reads.
std::optional<TernaryValues> find_ternary(const io::Tensor& tensor);

}  // namespace rsr::model
