// The subcommands of `rsr`. Each adds its options to the parser and, when it is chosen, sets what
// is to be done after parsing.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>

#include "rsr/status.h"

namespace rsr::cli {

inline constexpr int kOk = 0;
inline constexpr int kFailed = 1;
inline constexpr int kWrongUsage = 2;
inline constexpr int kInterrupted = 130;  // 128 + SIGINT, as shells have it

/// Does the work, gives the exit code.
using Action = std::function<int()>;

void add_run(CLI::App& app, Action& action);
void add_chat(CLI::App& app, Action& action);
void add_fetch(CLI::App& app, Action& action);
void add_inspect(CLI::App& app, Action& action);
void add_bench(CLI::App& app, Action& action);
void add_selftest(CLI::App& app, Action& action);
void add_explain(CLI::App& app, Action& action);
void add_tune(CLI::App& app, Action& action);

/// The option --threads, which several commands have.
void add_threads(CLI::App& command, int* threads);

/// Writes "error: ..." to standard error; gives kFailed.
int fail(const Status& status);

}  // namespace rsr::cli
