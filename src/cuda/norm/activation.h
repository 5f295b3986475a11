// What a gate goes through before it is multiplied with its up.
#pragma once

#include <cstdint>

namespace rsr::cuda {

/// relu2: max(g, 0)^2; silu: g / (1 + exp(-g)), with the polynomial of model/ops.cc.
enum class GateActivation : uint8_t { relu2, silu };

}  // namespace rsr::cuda
