// Operation gemm: the products of matvec (kernels/matvec/matvec.h) for many vectors.
//
// Same parameters, same results bit for bit; another order of work. A panel of the matrix (some
// tiles of 16 rows, some hundred columns) is decoded once into one byte per weight, in L1:
//
//   panel[tile][step of four columns][16 rows][4 columns]
//
// and all token tiles are multiplied with it from there, in blocks of registers. So the format of
// the weights costs nothing from about 32 vectors on.
#pragma once

#include <cstdint>

#include "kernels/matvec/matvec.h"

namespace rsr::kernels {

#define GEMM_I8(format, isa, token_tile) MatvecI8Function gemm_##format##_i8_##isa;
#include "kernels/gemm/kernels.inc"

}  // namespace rsr::kernels
