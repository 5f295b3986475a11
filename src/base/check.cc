#include "base/check.h"

#include <cstdio>
#include <cstdlib>

namespace rsr::base {

void check_failed(const char* file, int line, const char* expression, const std::string& values) {
  std::fprintf(stderr, "rsr: %s:%d: broken contract: %s%s%s\n", file, line, expression,
               values.empty() ? "" : ": ", values.c_str());
  std::abort();
}

}  // namespace rsr::base
