// The instruction set that weights are packed for.
#pragma once

#include <string_view>

#include "base/cpu.h"

namespace rsr::linear {

/// Like base::choose_isa(), but one that is asked for by name need not be on this machine: packing
/// runs no kernel of it. Errors: an unknown name.
Result<base::Isa> packing_isa(std::string_view asked);

}  // namespace rsr::linear
