// launch() on the emulated device.
#pragma once

#include <functional>

#include "cuda/simt.h"
#include "rsr/status.h"

namespace rsr::cuda::emulated {

/// Runs the kernel, or keeps it for a graph while the stream is captured.
Status submit(void* stream, const simt::Launch& launch, std::function<void()> kernel);

/// launch(device, stream, {blocks, 1, threads, bytes}, kernel, params)
template <class Params>
Status launch(int /*device*/, void* stream, const simt::Launch& how, void (*kernel)(Params),
              const Params& params) {
  return submit(stream, how, [kernel, params] { kernel(params); });
}

}  // namespace rsr::cuda::emulated
