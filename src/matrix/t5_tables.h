// Format t5 by whole bytes, for packing and repacking without arithmetic per weight.
#pragma once

#include <array>
#include <cstdint>

#include "matrix/format.h"

namespace rsr::matrix {

struct T5Tables {
  std::array<uint8_t, 256> fields{};  // the quad as a byte of t2
  std::array<uint8_t, 256> fifth{};
  std::array<uint8_t, 256> quad{};  // of a byte of t2
};
constexpr T5Tables make_t5_tables() {
  T5Tables tables;
  for (int byte = 0; byte < 256; ++byte) {
    const T5Meaning meaning = t5_decode(static_cast<uint8_t>(byte));
    if (meaning.quad < 0) continue;
    tables.fields[byte] = quad_fields(meaning.quad);
    tables.fifth[byte] = static_cast<uint8_t>(meaning.fifth);
  }
  for (int quad = 0; quad < 81; ++quad) {
    tables.quad[quad_fields(quad)] = static_cast<uint8_t>(quad);
  }
  return tables;
}
inline constexpr T5Tables kT5 = make_t5_tables();

}  // namespace rsr::matrix
