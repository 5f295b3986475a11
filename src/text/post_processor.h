// Post-processors: ids that are put before and behind every text.
#pragma once

#include <cstdint>
#include <vector>

#include "base/json.h"
#include "rsr/status.h"

namespace rsr::text {

struct PostProcessor {
  std::vector<int32_t> before;
  std::vector<int32_t> after;
};

/// Reads the member "post_processor" of tokenizer.json; null adds nothing.
Result<PostProcessor> parse_post_processor(const base::Json& json);

}  // namespace rsr::text
