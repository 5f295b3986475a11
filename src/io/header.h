// The JSON header of a safetensors file: what it may say, and what of it is refused.
#pragma once

#include <cstddef>
#include <string_view>

#include "io/safetensors.h"

namespace rsr::io {

/// Upper limits against hostile headers; real files stay far below them.
inline constexpr size_t kMaxHeaderBytes = 100'000'000;
inline constexpr size_t kMaxRank = 8;
inline constexpr size_t kMaxNameBytes = 1024;
inline constexpr size_t kMaxTensors = 1'000'000;
inline constexpr int kMaxHeaderDepth = 4;

/// How a dtype is written in the header. Types without a DType of their own are DType::other, which
/// is enough to check a file that holds some.
struct DTypeInfo {
  std::string_view name;
  DType dtype;
  unsigned bits;
};

/// Its name in a header, and its bits; not for DType::other, of which there are several.
const char* dtype_code(DType dtype);
unsigned dtype_bits(DType dtype);

/// nullptr for a name that the format does not know.
const DTypeInfo* find_dtype(std::string_view name);

}  // namespace rsr::io
