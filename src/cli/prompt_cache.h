// The option --prompt-cache: what was read of a prompt is kept in a file for the next run.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "rsr/engine.h"

namespace rsr::cli {

struct PromptCacheFlags {
  std::string path;  ///< empty: none
  bool read_only = false;
};

/// Adds --prompt-cache and --prompt-cache-read-only.
void add_prompt_cache(CLI::App& command, PromptCacheFlags* flags);

/// Before the first prompt: takes the file where there is one. Errors also where none could be
/// made later.
Status load_prompt_cache(const PromptCacheFlags& flags, Session& session);

/// After the latest answer: gives `code`, or kFailed with a message when the file could not be
/// written.
int save_prompt_cache(const PromptCacheFlags& flags, const Session& session, int code);

}  // namespace rsr::cli
