// Operation gemm: the products of matvec (kernels/matvec/matvec.h) for many vectors.
//
// Same parameters, same results bit for bit; another order of work. A panel of the matrix (some
// tiles of 16 rows, some hundred columns) is decoded once into one byte per weight, in L1:
//
//   panel[tile][step of four columns][16 rows][4 columns]
//
// and all token tiles are multiplied with it from there, in blocks of registers. So the format of
// the weights costs nothing from about 32 vectors on.
//
// Kernels with a token tile of 1 read x in whole steps of 64 columns from the begin of a segment
// on: up to 63 bytes of any value behind its end must be readable. They are fast where x begins at
// a multiple of 64 bytes and x_cols is an odd multiple: what is loaded at a time are then lines of
// the first cache that do not take each other's place.
#pragma once

#include <cstdint>

#include "kernels/matvec/matvec.h"

namespace rsr::kernels {

#define GEMM_I8(format, isa, token_tile) MatvecI8Function gemm_##format##_i8_##isa;
#include "kernels/gemm/kernels.inc"

}  // namespace rsr::kernels
