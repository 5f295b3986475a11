// The calling thread's device of the CUDA runtime, for a while.
#pragma once

#include <cuda_runtime.h>

#include "rsr/status.h"

namespace rsr::cuda::nvidia {

/// An error with the runtime's words; ok for cudaSuccess.
Status check(cudaError_t code, const char* what);

/// Makes a device that of the calling thread's calls, as long as this object lives; then the one
/// before is it again, which may be another library's choice (torch's). One that nobody has used
/// yet is not gone back to: that would make a context there, with hundreds of megabytes.
class ChosenDevice {
 public:
  explicit ChosenDevice(int device);
  ChosenDevice(const ChosenDevice&) = delete;
  ChosenDevice& operator=(const ChosenDevice&) = delete;
  ~ChosenDevice();
  const Status& status() const { return status_; }

 private:
  Status change(int device);

  int before_ = 0;
  bool changed_ = false;
  Status status_;  // behind what change() writes
};

}  // namespace rsr::cuda::nvidia
