#include "cuda/nvidia/kernels.h"

#include <map>
#include <mutex>
#include <utility>

#include "base/check.h"
#include "cuda/nvidia/chosen_device.h"

namespace rsr::cuda::nvidia {
namespace {

constexpr int kFirstBeside = 90;  // of wait_for_previous()

Result<int> attribute(int device, cudaDeviceAttr which) {
  int value = 0;
  RSR_RETURN_IF_ERROR(check(cudaDeviceGetAttribute(&value, which, device), "cudaDeviceGetAttribute"));
  return value;
}

Result<bool> prepare(int device, const void* kernel) {
  cudaFuncAttributes of_code = {};
  RSR_RETURN_IF_ERROR(check(cudaFuncGetAttributes(&of_code, kernel), "code of a kernel"));
  RSR_ASSIGN_OR_RETURN(const int most, attribute(device, cudaDevAttrMaxSharedMemoryPerBlockOptin));
  RSR_RETURN_IF_ERROR(
      check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                 most - static_cast<int>(of_code.sharedSizeBytes)),
            "shared memory of a kernel"));
  RSR_ASSIGN_OR_RETURN(const int major, attribute(device, cudaDevAttrComputeCapabilityMajor));
  return 10 * major >= kFirstBeside && of_code.ptxVersion >= kFirstBeside;
}

}  // namespace

Result<bool> prepare_kernel(int device, const void* kernel) {
  static std::mutex mutex;
  static std::map<std::pair<int, const void*>, bool> known;
  const std::lock_guard lock(mutex);
  const auto found = known.find({device, kernel});
  if (found != known.end()) return found->second;
  RSR_ASSIGN_OR_RETURN(const bool beside, prepare(device, kernel));
  known[{device, kernel}] = beside;
  return beside;
}

}  // namespace rsr::cuda::nvidia
