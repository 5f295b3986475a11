// launch() on NVIDIA's devices.
#pragma once

#include <cuda_runtime.h>

#include "base/check.h"
#include "cuda/simt.h"
#include "rsr/status.h"

namespace rsr::cuda::nvidia {

/// An error with the runtime's words; ok for cudaSuccess.
Status check(cudaError_t code, const char* what);

/// Whether kernels of this device can start beside the one before them: from compute capability 9.0
/// on, which wait_for_previous() is compiled for.
Result<bool> starts_beside(int device);

/// Makes a device that of the calling thread's calls, as long as this object lives; then the one
/// before is it again, which may be another library's choice (torch's).
class ChosenDevice {
 public:
  explicit ChosenDevice(int device) : status_(change(device)) {}
  ChosenDevice(const ChosenDevice&) = delete;
  ChosenDevice& operator=(const ChosenDevice&) = delete;
  ~ChosenDevice() {
    if (changed_) cudaSetDevice(before_);
  }
  const Status& status() const { return status_; }

 private:
  Status change(int device) {
    RSR_RETURN_IF_ERROR(check(cudaGetDevice(&before_), "cudaGetDevice"));
    changed_ = before_ != device;
    return changed_ ? check(cudaSetDevice(device), "cudaSetDevice") : Status();
  }

  int before_ = 0;
  bool changed_ = false;
  Status status_;  // behind what change() writes
};

/// launch(device, stream, {blocks, 1, threads, bytes}, kernel, params)
template <class Params>
Status launch(int device, void* stream, const simt::Launch& how, void (*kernel)(Params),
              const Params& params) {
  const ChosenDevice chosen(device);
  RSR_RETURN_IF_ERROR(chosen.status());
  constexpr size_t kWithoutAsking = size_t{48} << 10;
  if (how.shared_bytes > kWithoutAsking) {
    RSR_RETURN_IF_ERROR(
        check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                   static_cast<int>(how.shared_bytes)),
              "shared memory of a kernel"));
  }
  cudaLaunchConfig_t config = {};
  config.gridDim = dim3(static_cast<unsigned>(how.blocks_x), static_cast<unsigned>(how.blocks_y));
  config.blockDim = dim3(static_cast<unsigned>(how.threads));
  config.dynamicSmemBytes = how.shared_bytes;
  config.stream = static_cast<cudaStream_t>(stream);
  // Blocks start beside the kernel before, and wait for its end by themselves: the launch and the
  // first weights are no longer waited for. Kept in graphs that are captured.
  cudaLaunchAttribute beside = {};
  beside.id = cudaLaunchAttributeProgrammaticStreamSerialization;
  beside.val.programmaticStreamSerializationAllowed = 1;
  RSR_ASSIGN_OR_RETURN(const bool able, starts_beside(device));
  config.attrs = &beside;
  config.numAttrs = able && stream != nullptr ? 1 : 0;
  return check(cudaLaunchKernelEx(&config, kernel, params), "launch of a kernel");
}

}  // namespace rsr::cuda::nvidia
