// rsr: language models with binary and ternary weights, on the command line.
#include <csignal>
#include <cstdio>
#include <exception>

#include "base/cpu.h"
#include "cli/commands.h"
#include "cli/output.h"
#include "linear/selftest.h"
#include "linear/tune_cache.h"
#include "rsr/version.h"

namespace rsr::cli {
namespace {

constexpr const char* kAbout = "Runs language models with binary and ternary weights.";

constexpr const char* kExamples =
    "Examples:\n"
    "  rsr run models/demo -p \"Write the numbers from one to ten in words separated by commas "
    "only:\"\n"
    "  rsr run models/demo -p - --json < prompt.txt\n"
    "  rsr chat models/demo\n"
    "  rsr fetch microsoft/bitnet-b1.58-2B-4T\n"
    "  rsr inspect models/demo\n"
    "  rsr prep models/demo -o demo.rsr\n"
    "  rsr perplexity models/demo text.txt --against demo.rsr\n"
    "  rsr selftest\n"
    "  rsr bench matvec --rows 4096 --cols 14336 --bits ternary\n"
    "  rsr bench model --shape bitnet-2b\n"
    "  rsr explain --rows 4096 --cols 14336 --batch 8\n"
    "  rsr tune --suite models\n"
    "\n"
    "`rsr COMMAND --help` explains a command. RSR_FORCE_ISA chooses another instruction set\n"
    "than the best one: reference, avx2, avxvnni, avx512bw, avx512vnni, avx512vbmi, amx.\n"
    "Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted.";

/// What Context::warnings() would say, once for a command whatever contexts it makes. A wrong
/// RSR_FORCE_ISA is for the command to report.
void print_warnings() {
  const Result<base::Isa> isa = base::choose_isa({});
  if (!isa.ok()) return;
  for (const std::string& warning : linear::selftest_warnings(*isa)) {
    std::fprintf(stderr, "warning: %s\n", warning.c_str());
  }
  std::string untuned;
  linear::tuning_for(*isa, &untuned);
  if (!untuned.empty()) std::fprintf(stderr, "warning: %s\n", untuned.c_str());
}

int parse_and_act(int argc, char** argv) {
  CLI::App app(kAbout, "rsr");
  app.set_version_flag("--version", std::string("rsr ") + version());
  app.footer(kExamples);
  app.require_subcommand(1);
  Action action;
  add_run(app, action);
  add_chat(app, action);
  add_fetch(app, action);
  add_inspect(app, action);
  add_prep(app, action);
  add_perplexity(app, action);
  add_bench(app, action);
  add_selftest(app, action);
  add_explain(app, action);
  add_tune(app, action);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& wanted) {  // --help, --version
    std::ostringstream text;
    app.exit(wanted, text, text);
    Output output;
    output.write(text.str());
    return output.status().ok() ? kOk : fail(output.status());
  } catch (const CLI::ParseError& wrong) {
    std::fprintf(stderr, "error: %s\nSee rsr --help.\n", wrong.what());
    return kWrongUsage;
  }
  if (!app.got_subcommand("selftest") && !app.got_subcommand("fetch")) print_warnings();
  return action();
}

}  // namespace
}  // namespace rsr::cli

int main(int argc, char** argv) {
  // A reader that goes away shows as a failed write, not as a signal.
  std::signal(SIGPIPE, SIG_IGN);
  try {
    return rsr::cli::parse_and_act(argc, argv);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "error: %s\n", e.what());
    return rsr::cli::kFailed;
  }
}
