// The cells of an index in Gray order as machine code: straight-line additions whose addresses are
// constants. Nothing is looked up and no running sum is stored, so that a cell takes an addition
// per column and one per boundary of its groups, and the processor does two of them per cycle.
//
//   for each group:        t = x[c0] + x[c1] + ...      (constant addresses, one load each)
//                          P = P + t
//   rows that change:      y_r = y_r -+ P               (once or twice, by what their digit
//   changes)
//
// The code of a cell is a function void(const void* x, void* y) for the System V ABI: `x` is the
// inputs of its tile of columns, a vector of `stride` bytes for each; `y` a vector for each of the
// k rows, to which the product is added. Both on a boundary of the vector's size.
#pragma once

#include <cstdint>
#include <vector>

#include "segment/gray_stream.h"

namespace rsr::segment {

/// What the lanes of a vector are.
enum class Lanes : uint8_t { int16, float32 };

/// Bytes that were not made executable yet.
struct GrayCode {
  std::vector<uint8_t> code;
  std::vector<uint64_t> cells;  // where the code of each cell begins, and the end of the last
};

/// True where the code would run: on x86-64 with vectors of `stride` bytes (32: AVX2, 64:
/// AVX-512BW).
bool can_compile(int stride);

/// The code of all cells; empty when it would be more than `most_bytes`.
GrayCode compile_gray(const GrayStream& index, Lanes lanes, int64_t most_bytes);

}  // namespace rsr::segment
