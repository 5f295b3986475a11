// For tests, benchmarks and the self-test: the index of a problem's matrix.
#pragma once

#include <algorithm>

#include "kernels/gemm_gray/list.h"
#include "kernels/matvec/problem.h"
#include "segment/gray_stream.h"

namespace rsr::kernels {

/// How a matrix is cut for these kernels: tiles of about the same width.
inline segment::GrayShape gray_shape(bool ternary, int64_t rows, int64_t cols, int stride) {
  const int64_t tiles = (cols + kGrayTileCols - 1) / kGrayTileCols;
  segment::GrayShape shape;
  shape.rows = rows;
  shape.cols = cols;
  shape.tile_cols = ((cols + tiles - 1) / tiles + 3) / 4 * 4;
  shape.k = ternary ? kGrayRowsTernary : kGrayRowsBinary;
  shape.alphabet = ternary ? segment::Alphabet::ternary : segment::Alphabet::binary;
  shape.stride = stride;
  return shape;
}

inline GrayGroups gray_groups(const segment::GrayStream& index) {
  return {index.alphabet == segment::Alphabet::ternary,
          index.rows,
          index.cols,
          index.tile_cols,
          index.cell_places.data(),
          index.places.data(),
          index.ends.data()};
}

/// The index of the matrix of a problem; the values of {-1, +1} become bits.
inline segment::GrayStream gray_stream(const Problem& problem, int stride) {
  const int64_t rows = problem.packed.rows();
  const int64_t cols = problem.packed.cols();
  const bool ternary = problem.packed.alphabet() == matrix::Alphabet::ternary;
  return segment::build_gray(
      gray_shape(ternary, rows, cols, stride), [&](int64_t row, int8_t* out) {
        const int8_t* values = problem.w.data() + row * cols;
        for (int64_t c = 0; c < cols; ++c) {
          out[c] = ternary ? values[c] : static_cast<int8_t>(values[c] > 0 ? 1 : 0);
        }
      });
}

}  // namespace rsr::kernels
