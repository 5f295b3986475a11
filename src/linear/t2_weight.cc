#include "linear/t2_weight.h"

#include <cstring>
#include <vector>

namespace rsr::linear {

using kernels::kT2Cols;
using kernels::kT2LineBytes;
using kernels::kT2Rows;

T2Weight::T2Weight(const matrix::RowReader& values, int64_t rows, int64_t cols, int64_t group_size)
    : layout_(cols, group_size, kT2Cols),
      tiles_((rows + kT2Rows - 1) / kT2Rows),
      codes_(tiles_ * tile_stride()) {
  std::vector<int8_t> row(cols);
  std::vector<int8_t> padded(layout_.padded_cols());
  for (int64_t r = 0; r < padded_rows(); ++r) {
    if (r < rows) {
      values.read(r, row.data());
      layout_.spread(row.data(), padded.data());
    } else {
      std::fill(padded.begin(), padded.end(), int8_t{0});
    }
    pack_row(r, padded.data());
  }
}

void T2Weight::pack_row(int64_t row, const int8_t* padded) {
  uint8_t* line = codes_.data() + row / kT2Rows * tile_stride() + row % kT2Rows * 4;
  for (int64_t step = 0; step < layout_.total_steps(); ++step, line += kT2LineBytes) {
    const int8_t* v = padded + step * kT2Cols;
    for (int b = 0; b < 4; ++b) {
      line[b] = static_cast<uint8_t>((v[b] + 1) | (v[b + 4] + 1) << 2 | (v[b + 8] + 1) << 4 |
                                     (v[b + 12] + 1) << 6);
    }
  }
}

}  // namespace rsr::linear
