// A device that the host emulates (emulated/fibers.h): for tests.
#pragma once

#include "cuda/device.h"

namespace rsr::cuda::emulated {

/// Named "emulated". Its memory is the host's, every block of it as long as was asked for, so that
/// AddressSanitizer guards it.
const Backend& backend();

}  // namespace rsr::cuda::emulated
