// From an index to what kernels read.
#pragma once

#include <cstdint>

#include "kernels/gemm_gray/list.h"
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
  GrayGroups groups;
  groups.ternary = index.alphabet == segment::Alphabet::ternary;
  groups.rows = index.rows;
  groups.cols = index.cols;
  groups.tile_cols = index.tile_cols;
  groups.cell_places = index.cell_places.data();
  groups.places = index.places.data();
  groups.ends = index.ends.data();
  return groups;
}

/// The same with code, which is executable, instead of places.
inline GrayGroups gray_groups(const segment::GrayStream& index, const uint8_t* code,
                              const std::vector<uint64_t>& cells) {
  GrayGroups groups = gray_groups(index);
  groups.cell_places = nullptr;
  groups.places = groups.ends = nullptr;
  groups.code = code;
  groups.cell_code = cells.data();
  return groups;
}

}  // namespace rsr::kernels
