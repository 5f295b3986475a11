// printf, into a string.
#pragma once

#include <cstdio>
#include <string>

namespace rsr::cli {

/// A line of a page: of a longer one the first 255 characters.
template <class... Args>
std::string print(const char* format, const Args&... args) {
  char line[256];
  std::snprintf(line, sizeof line, format, args...);
  return line;
}

}  // namespace rsr::cli
