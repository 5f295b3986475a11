// The model that a command is given: a directory, or an id of the Hugging Face hub.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <string>

#include "io/hub/hub.h"
#include "rsr/status.h"

namespace rsr::cli {

/// The argument that commands take a model by.
CLI::Option* add_model(CLI::App& command, std::string* model);

/// The directory of the model. One of the hub is downloaded when the cache lacks it: with a
/// progress line on a terminal, until Ctrl-C. `received`, if given, becomes the number of bytes
/// that came.
Result<std::string> model_directory(const std::string& model,
                                    io::HubOptions options = io::hub_options_from_environment(),
                                    int64_t* received = nullptr);

/// fail(), or quietly kInterrupted where Ctrl-C was the reason.
int fail_unless_interrupted(const Status& status);

}  // namespace rsr::cli
