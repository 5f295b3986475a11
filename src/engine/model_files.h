// The small files of a model directory: all that is needed besides the weights, and their papers.
#pragma once

#include <string>

#include "rsr/status.h"

namespace rsr::engine {

/// Copies config, tokenizer, generation config, chat templates, model card and licence from a model
/// directory into a new one, on the disk when it returns. Links are followed. Errors name the file:
/// config.json or tokenizer.json is missing, one cannot be read or written.
Status copy_model_files(const std::string& from, const std::string& to);

}  // namespace rsr::engine
