// Operation embed: rows of a 16-bit table as floats, widened exactly.
#pragma once

#include <cstdint>

namespace rsr::cuda {

struct Embed {
  const uint16_t* table = nullptr;  // [vocab][cols], bits
  bool is_f16 = false;
  const int32_t* tokens = nullptr;  // [batch], on the device, each below vocab
  int32_t cols = 0;
  int32_t batch = 0;
  float* y = nullptr;  // [batch][cols]
};

}  // namespace rsr::cuda
