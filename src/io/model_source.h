// From what a user calls a model to the directory that holds it.
#pragma once

#include <string>

#include "rsr/status.h"

namespace rsr::io {

/// The directory of a model. The one place that knows how models are named: today, by their
/// directory. Errors name what was given.
Result<std::string> find_model_directory(const std::string& source);

}  // namespace rsr::io
