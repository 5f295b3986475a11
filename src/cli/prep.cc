// rsr prep: makes a prepared model, which loads at once.
#include <csignal>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "base/cpu.h"
#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/model_dir.h"
#include "cli/output.h"
#include "cli/work_bar.h"
#include "rsr/engine.h"

namespace rsr::cli {
namespace {

constexpr const char* kHelp =
    "DST gets the weights packed for one instruction set in one file that is mapped and read in\n"
    "place, so that loading takes no time and processes share the memory; and copies of config,\n"
    "tokenizer and chat template, so that SRC is not needed any more. It appears when it is\n"
    "complete. A machine without that instruction set can use it, too: weights are then packed\n"
    "anew in memory.";

struct PrepOptions {
  std::string source;
  std::string target;
  PrepareModelOptions prepare;
  bool json = false;
};

void show(WorkBar& bar, int64_t done, int64_t total) {
  if (total <= 0) return;
  char text[80];
  std::snprintf(text, sizeof text, "%.2f of %.2f GB", static_cast<double>(done) / 1e9,
                static_cast<double>(total) / 1e9);
  bar.show(static_cast<double>(done) / static_cast<double>(total), text);
}

std::string to_json(const PrepOptions& options, const PreparedModel& made) {
  const nlohmann::ordered_json json = {
      {"source", options.source}, {"model", options.target}, {"layers", made.layers},
      {"isa", made.isa},          {"format", made.formats},  {"source_bytes", made.source_bytes},
      {"bytes", made.bytes},      {"seconds", made.seconds}};
  return json.dump() + "\n";
}

std::string to_text(const PrepOptions& options, const PreparedModel& made) {
  char text[400];
  std::snprintf(text, sizeof text, ": %lld layers for %s (%s), %.3f GB from %.3f, %.1f s\n",
                static_cast<long long>(made.layers), made.isa.c_str(),
                made.formats.empty() ? "dense" : made.formats.c_str(),
                static_cast<double>(made.bytes) / 1e9, static_cast<double>(made.source_bytes) / 1e9,
                made.seconds);
  return options.target + text;
}

int prep(PrepOptions options) {
  // A limit on the size of files is then an error like a full disk.
  std::signal(SIGXFSZ, SIG_IGN);
  const Result<std::string> source = model_directory(options.source);
  if (!source.ok()) return fail_unless_interrupted(source.status());
  catch_interrupt();
  WorkBar bar;
  options.prepare.on_progress = [&bar](int64_t done, int64_t total) {
    show(bar, done, total);
    return !interrupted();
  };
  const Result<PreparedModel> made = prepare_model(*source, options.target, options.prepare);
  bar.clear();
  if (made.status().code() == ErrorCode::cancelled) {
    std::fprintf(stderr, "interrupted: %s was not made\n", options.target.c_str());
    return kInterrupted;
  }
  if (!made.ok()) {
    const bool there = made.status().message() == options.target + ": is there already";
    return fail(there ? Status(made.status().code(),
                               made.status().message() + "; --force replaces a prepared model")
                      : made.status());
  }
  Output output;
  output.write(options.json ? to_json(options, *made) : to_text(options, *made));
  return output.status().ok() ? kOk : fail(output.status());
}

std::string check_isa(const std::string& name) {
  const Result<base::Isa> isa = base::isa_from_name(name);
  return isa.ok() ? std::string() : isa.status().message();
}

}  // namespace

void add_prep(CLI::App& app, Action& action) {
  const auto options = std::make_shared<PrepOptions>();
  CLI::App* command = app.add_subcommand("prep", "Make a prepared model, which loads at once");
  command->footer(kHelp);
  command
      ->add_option("source", options->source, "Model directory, or an id of the Hugging Face hub")
      ->required()
      ->type_name("SRC");
  command->add_option("-o,--output", options->target, "Directory to make")
      ->required()
      ->type_name("DST");
  command
      ->add_option("--isa", options->prepare.isa,
                   "Instruction set to pack for, also one that this machine lacks; default: "
                   "RSR_FORCE_ISA, or the best that this machine has")
      ->check(check_isa)
      ->type_name("NAME");
  command->add_flag("--force", options->prepare.replace,
                    "Replace DST where it is a prepared model");
  add_threads(*command, &options->prepare.threads);
  command->add_flag("--json", options->json, "One JSON object");
  command->callback([options, &action] { action = [options] { return prep(*options); }; });
}

}  // namespace rsr::cli
