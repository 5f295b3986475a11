// NVIDIA's devices, in builds that have the CUDA toolkit.
#pragma once

#include "cuda/device.h"

namespace rsr::cuda::nvidia {

/// The backend "cuda". An error in a build without the toolkit (none.cc), which says so.
Result<const Backend*> backend();

}  // namespace rsr::cuda::nvidia
