// In the place of NVIDIA's backend where the build has no CUDA toolkit.
#include "base/check.h"
#include "cuda/nvidia/backend.h"

namespace rsr::cuda::nvidia {

Result<const Backend*> backend() {
  return base::error(ErrorCode::unsupported,
                     "device 'cuda': this build has no CUDA; build with the CUDA toolkit (cmake "
                     "--preset cuda)");
}

}  // namespace rsr::cuda::nvidia
