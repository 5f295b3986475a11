// The subcommands of `rsr`. Each adds its options to the parser and, when it is chosen, sets what
// is to be done after parsing.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>

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
void add_prep(CLI::App& app, Action& action);
void add_perplexity(CLI::App& app, Action& action);
void add_bench(CLI::App& app, Action& action);
/// `rsr bench model`, of the command `rsr bench`.
void add_bench_model(CLI::App& bench, Action& action);
void add_selftest(CLI::App& app, Action& action);
void add_explain(CLI::App& app, Action& action);
void add_tune(CLI::App& app, Action& action);

/// The option --threads, which several commands have.
void add_threads(CLI::App& command, int* threads);

/// The option --pin of commands that own the machine while they run.
void add_pin(CLI::App& command, bool* pin);
/// The option --verify of the commands that load models.
void add_verify(CLI::App& command, bool* verify);

/// Writes "notice: ..." to standard error, unless it is empty.
void print_notice(const std::string& notice);

/// Writes "error: ..." to standard error; gives kFailed.
int fail(const Status& status);

}  // namespace rsr::cli
