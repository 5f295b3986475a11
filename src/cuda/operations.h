// What kernels can do, as a table of functions: a backend has one. Each asks a device's stream for
// one operation on device memory, and reports what could not be asked for.
#pragma once

#include "cuda/attention/attention.h"
#include "cuda/dense/dense.h"
#include "cuda/embed/embed.h"
#include "cuda/floats/floats.h"
#include "cuda/groups/groups.h"
#include "cuda/head/head.h"
#include "cuda/multiply/multiply.h"
#include "cuda/norm/norm.h"
#include "cuda/vectors/vectors.h"
#include "rsr/status.h"

namespace rsr::cuda {

template <class Params>
using Operation = Status (*)(int device, void* stream, const Params& params);

struct Operations {
#define CUDA_OPERATION(name, Params) Operation<Params> name;
#include "cuda/operations.inc"
};

}  // namespace rsr::cuda
