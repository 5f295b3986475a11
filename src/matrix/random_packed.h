// Packed matrices of random values, for benchmarks: made as fast as memory is written, which
// packing a matrix of values is not.
#pragma once

#include <cstdint>

#include "matrix/packed.h"

namespace rsr::matrix {

/// Every code of the alphabet is equally likely. Lines are drawn from a few hundred that are made
/// code by code, so that rows are not independent of each other, and no kernel can tell. Equal
/// arguments give equal bits. The matrix has no groups.
Packed random_packed(Format format, Alphabet alphabet, int64_t rows, int64_t cols, uint64_t seed);

}  // namespace rsr::matrix
