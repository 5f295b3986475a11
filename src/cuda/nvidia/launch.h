// launch() on NVIDIA's devices.
#pragma once

#include <cuda_runtime.h>

#include "base/check.h"
#include "cuda/nvidia/chosen_device.h"
#include "cuda/nvidia/kernels.h"
#include "cuda/simt.h"
#include "rsr/status.h"

namespace rsr::cuda::nvidia {

/// launch(device, stream, {blocks, 1, threads, bytes}, kernel, params)
template <class Params>
Status launch(int device, void* stream, const simt::Launch& how, void (*kernel)(Params),
              const Params& params) {
  const ChosenDevice chosen(device);
  RSR_RETURN_IF_ERROR(chosen.status());
  RSR_ASSIGN_OR_RETURN(const bool beside,
                       prepare_kernel(device, reinterpret_cast<const void*>(kernel)));
  cudaLaunchConfig_t config = {};
  config.gridDim = dim3(static_cast<unsigned>(how.blocks_x), static_cast<unsigned>(how.blocks_y));
  config.blockDim = dim3(static_cast<unsigned>(how.threads));
  config.dynamicSmemBytes = how.shared_bytes;
  config.stream = static_cast<cudaStream_t>(stream);
  // Blocks start beside the kernel in front, and wait for its end by themselves: the launch and the
  // first weights are no longer waited for. Graphs that are captured keep this.
  cudaLaunchAttribute attribute = {};
  attribute.id = cudaLaunchAttributeProgrammaticStreamSerialization;
  attribute.val.programmaticStreamSerializationAllowed = 1;
  config.attrs = &attribute;
  config.numAttrs = beside && stream != nullptr ? 1 : 0;
  return check(cudaLaunchKernelEx(&config, kernel, params), "launch of a kernel");
}

}  // namespace rsr::cuda::nvidia
