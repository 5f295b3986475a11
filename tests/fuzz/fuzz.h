// What the fuzz targets share: a check that stays on in every build, and how an input is cut.
//
// A target is one file <name>_fuzz.cc with LLVMFuzzerTestOneInput. Sanitizers find what reads or
// writes outside; FUZZ_CHECK finds what is wrong without crashing.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <utility>

#define FUZZ_CHECK(condition)                                                        \
  do {                                                                               \
    if (!(condition)) {                                                              \
      std::fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #condition); \
      std::abort();                                                                  \
    }                                                                                \
  } while (false)

namespace rsr::fuzz {

inline std::string_view as_text(const uint8_t* data, size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

/// The bytes before the first zero byte, and those behind it. JSON and patterns hold none, so a
/// corpus file is readable: a description, a zero, a text.
inline std::pair<std::string_view, std::string_view> cut_at_zero(const uint8_t* data, size_t size) {
  const std::string_view all = as_text(data, size);
  const size_t zero = all.find('\0');
  if (zero == std::string_view::npos) return {all, {}};
  return {all.substr(0, zero), all.substr(zero + 1)};
}

}  // namespace rsr::fuzz
