// A text that a user names: a file, or standard input.
#pragma once

#include <cstddef>
#include <string>

#include "rsr/status.h"

namespace rsr::cli {

/// All of a file of at most `limit` bytes; "-" is standard input. Errors name the file.
Result<std::string> read_text(const std::string& file, size_t limit);

}  // namespace rsr::cli
