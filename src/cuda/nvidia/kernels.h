// What the runtime must know of a kernel before its first launch on a device.
#pragma once

#include "rsr/status.h"

namespace rsr::cuda::nvidia {

/// Lets a kernel have as much shared memory as the device has for a block. True where its blocks
/// may start beside the kernel in front: the device can do that, and the code that runs there waits
/// for that kernel by itself, which code for devices before compute capability 9.0 does not, be it
/// translated for a later one. Called with the device chosen; remembered.
Result<bool> prepare_kernel(int device, const void* kernel);

}  // namespace rsr::cuda::nvidia
