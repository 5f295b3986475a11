// Operation dense: a bf16 or f16 matrix times float vectors; order and bits of kernels/dense: lane
// l of 16 sums the columns c with c % 16 = l in order, a rounding for each product and sum, then a
// tree.
#pragma once

#include <cstdint>

namespace rsr::cuda {

struct Dense {
  const uint16_t* w = nullptr;  // [rows][cols], bits; any alignment of 2
  bool is_f16 = false;
  int32_t rows = 0;
  int32_t cols = 0;
  const float* x = nullptr;  // [batch][cols]
  int32_t batch = 0;
  float* y = nullptr;  // [batch][stride]
  int64_t stride = 0;
  // Null: all rows. Else each vector has a list of rows of its own, at most `rows`; y is
  // [batch][stride] by place in the list. Both lie on the device.
  const int32_t* row_ids = nullptr;     // [batch][rows]
  const int32_t* row_counts = nullptr;  // [batch]
};

}  // namespace rsr::cuda
