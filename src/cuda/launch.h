// How an operation starts its kernels; included by .cu files. Each backend defines what is
// declared.
#pragma once

#include "cuda/operations.h"
#include "cuda/simt.h"

#if defined(__CUDACC__)
#include "cuda/nvidia/launch.h"
#else
#include "cuda/emulated/launch.h"
#endif

namespace rsr::cuda::RSR_SIMT {

#define CUDA_OPERATION(name, Params) Status name(int device, void* stream, const Params& params);
#include "cuda/operations.inc"

}  // namespace rsr::cuda::RSR_SIMT
