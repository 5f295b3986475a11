#include "cuda/nvidia/chosen_device.h"

#include <cuda.h>

#include "base/check.h"

namespace rsr::cuda::nvidia {
namespace {

/// Whether anybody has used the device in this process. Asked of the driver through the runtime, so
/// that nothing links to the driver's library, which a machine without a GPU does not have.
bool is_in_use(int device) {
  using GetState = CUresult (*)(CUdevice, unsigned*, int*);
  static const GetState get_state = [] {
    void* found = nullptr;
    constexpr const char* kName = "cuDevicePrimaryCtxGetState";
#if CUDART_VERSION >= 12050
    constexpr unsigned kSince = 7000;  // of its signature
    const cudaError_t code =
        cudaGetDriverEntryPointByVersion(kName, &found, kSince, cudaEnableDefault, nullptr);
#else
    const cudaError_t code = cudaGetDriverEntryPoint(kName, &found, cudaEnableDefault, nullptr);
#endif
    return code == cudaSuccess ? reinterpret_cast<GetState>(found) : nullptr;
  }();
  unsigned flags = 0;
  int active = 0;
  const bool known = get_state != nullptr && get_state(device, &flags, &active) == CUDA_SUCCESS;
  return !known || active != 0;
}

}  // namespace

Status check(cudaError_t code, const char* what) {
  if (code == cudaSuccess) return {};
  cudaGetLastError();  // it is not to be found by whoever asks next
  return base::error(ErrorCode::io_error, what, ": ", cudaGetErrorString(code), " (",
                     cudaGetErrorName(code), ")");
}

ChosenDevice::ChosenDevice(int device) : status_(change(device)) {}

ChosenDevice::~ChosenDevice() {
  if (changed_ && is_in_use(before_)) cudaSetDevice(before_);
}

Status ChosenDevice::change(int device) {
  RSR_RETURN_IF_ERROR(check(cudaGetDevice(&before_), "cudaGetDevice"));
  changed_ = before_ != device;
  return changed_ ? check(cudaSetDevice(device), "cudaSetDevice") : Status();
}

}  // namespace rsr::cuda::nvidia
