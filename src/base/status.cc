#include "rsr/status.h"

#include <cstdio>
#include <cstdlib>

#include "rsr/version.h"

namespace rsr {

Status Status::with_context(std::string_view context) const {
  if (ok()) return *this;
  return {code_, std::string(context) + ": " + message_};
}

namespace detail {
void die_on_bad_access(const Status& status) {
  std::fprintf(stderr, "rsr: value() of a failed Result: %s\n", status.message().c_str());
  std::abort();
}
}  // namespace detail

const char* version() {
  return RSR_VERSION;
}

}  // namespace rsr
