// The kernels of operation multiply, as multiply.cu chooses them. Each serves all formats.
#pragma once

#include "cuda/launch.h"

namespace rsr::cuda::RSR_SIMT {

/// Few vectors: the warps of a block share out the columns. `tiles`: of a block, 1 or 2; 2 it is
/// for more than sixteen vectors.
Status multiply_few(int device, void* stream, const Multiply& p, int tiles);

/// A gate and its up of up to eight vectors: a block has a tile of each.
Status multiply_gated(int device, void* stream, const Multiply& p);

/// Many vectors: the warps of a block share out its rows and vectors, which `way` counts.
Status multiply_many(int device, void* stream, const Multiply& p, MultiplyWay way);

/// Matrices with group scales.
Status multiply_grouped(int device, void* stream, const Multiply& p);

}  // namespace rsr::cuda::RSR_SIMT
