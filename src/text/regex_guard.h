// What a pattern may look like before Oniguruma gets it.
#pragma once

#include <string_view>

#include "rsr/status.h"

namespace rsr::text {

/// Oniguruma counts steps back, and gives up after too many; nothing counts steps forward. Refused
/// is what makes many of those without a step back between: look-around inside a repetition, huge
/// or nested counts, calls of groups; and what hides such things from this check. Tokenizers in
/// use have none of it.
Status check_pattern(std::string_view pattern);

}  // namespace rsr::text
