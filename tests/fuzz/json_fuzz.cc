// JSON that is accepted nests no deeper than the limit, and printing and reading it again changes
// nothing.
#include <algorithm>

#include "base/json.h"
#include "fuzz.h"

namespace {

int depth_of(const rsr::base::Json& json) {
  if (!json.is_structured()) return 0;
  int deepest = 0;
  for (const auto& member : json) deepest = std::max(deepest, depth_of(member));
  return deepest + 1;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto parsed = rsr::base::parse_json(rsr::fuzz::as_text(data, size), "input");
  if (!parsed.ok()) return 0;
  FUZZ_CHECK(depth_of(*parsed) <= rsr::base::kJsonMaxDepth + 1);
  const auto again = rsr::base::parse_json(parsed->dump(), "printed");
  FUZZ_CHECK(again.ok());
  FUZZ_CHECK(*again == *parsed);
  return 0;
}
