// The flags that `rsr run` and `rsr chat` share: the model, its context, and sampling.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>

#include "cli/prompt_cache.h"
#include "rsr/engine.h"

namespace rsr::cli {

struct GenerateFlags {
  std::string model;  ///< a directory or an id of the hub
  std::string system;
  EngineOptions engine;
  GenerateOptions generate;
  PromptCacheFlags prompt_cache;
};

/// The options of `flags` that a parser fills in; those that have no meaning with raw prompts are
/// kept, so that a command can say so.
struct ChatOptions {
  CLI::Option* system;
  CLI::Option* chat_template;
};

/// Adds the model and all flags. `flags` must live as long as the parser.
ChatOptions add_generate_flags(CLI::App& command, GenerateFlags* flags);

/// Loads the model, which is downloaded where it must be; on a terminal, says so for as long as it
/// takes. Errors name the flag, and are for fail_unless_interrupted().
Result<Engine> open_engine(const GenerateFlags& flags);

/// The error with the flag that helps, where one does.
Status with_advice(const Status& status);

/// The options --kv, --head and others, which other commands that run models have too; and an
/// option of another name that takes what --kv does.
void add_kv(CLI::App& command, KvCacheType* type);
void add_kv(CLI::App& command, const char* flag, const char* help,
            const std::function<void(KvCacheType)>& take);
void add_head(CLI::App& command, HeadMethod* method);
void add_device(CLI::App& command, std::string* device);
/// --rsr-memory and --jit.
void add_rsr(CLI::App& command, int64_t* memory, bool* jit);

}  // namespace rsr::cli
