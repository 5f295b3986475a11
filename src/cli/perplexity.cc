// rsr perplexity: its flags.
#include <memory>
#include <string>

#include "base/cpu.h"
#include "cli/commands.h"
#include "cli/generate_flags.h"
#include "cli/model_dir.h"
#include "cli/perplexity_run.h"

namespace rsr::cli {
namespace {

constexpr const char* kHelp =
    "The text is divided into windows (--window), each read from an empty cache; a window "
    "predicts\n"
    "the tokens that no earlier one held. Perplexity is e to the mean of -ln p(token).\n\n"
    "With --against, --against-kv, --against-isa or --against-device a second model, or the same "
    "with\nother settings,\n"
    "reads the same text beside the first: how far its distributions Q are from the first one's P\n"
    "(KL divergence of P and Q, in nats), and how often both find the same token likeliest. What "
    "is\n"
    "not set for the second is as for the first. +/- is a standard error.\n\n"
    "Examples:\n"
    "  rsr perplexity models/demo text.txt\n"
    "  rsr perplexity models/demo text.txt --against demo.rsr\n"
    "  rsr perplexity models/demo text.txt --kv f32 --against-kv i8\n"
    "  rsr perplexity models/demo - --isa reference --against-isa avx2 --json < text.txt";

std::string check_isa(const std::string& name) {
  const Result<base::Isa> isa = base::isa_from_name(name);
  return isa.ok() ? std::string() : isa.status().message();
}

void add_against(CLI::App& command, PerplexityFlags* flags) {
  command.add_option("--against", flags->against, "Compare with this model, a directory or an id")
      ->type_name("MODEL");
  add_kv(command, "--against-kv", "Compare with this kind of cache: f32, f16 or i8",
         [flags](KvCacheType taken) { flags->against_kv = taken; });
  command
      .add_option("--against-isa", flags->against_isa,
                  "Compare with this instruction set: reference, avx2, ...")
      ->check(check_isa)
      ->type_name("NAME");
  command
      .add_option("--against-device", flags->against_device,
                  "Compare with this device: cpu, cuda, cuda:1")
      ->type_name("DEVICE");
}

void add_windows(CLI::App& command, PerplexityOptions* measure) {
  CLI::Validator tokens = CLI::Range(int64_t{0}, int64_t{1} << 40);
  tokens.description("");  // the limit is of no interest
  command
      .add_option("--window", measure->window,
                  "Positions of a window, begin-of-text included; 0: 512, or what the model was "
                  "trained for if that is less")
      ->check(tokens)
      ->type_name("N");
  command
      .add_option("--stride", measure->stride,
                  "Tokens from one window's begin to the next: less than a window gives every "
                  "token a longer past, and is slower. 0: no overlap")
      ->check(tokens)
      ->type_name("N");
  command
      .add_option("--max-tokens", measure->max_tokens, "Use only the text's first N tokens; 0: all")
      ->check(tokens)
      ->type_name("N");
}

}  // namespace

void add_perplexity(CLI::App& app, Action& action) {
  const auto flags = std::make_shared<PerplexityFlags>();
  CLI::App* command =
      app.add_subcommand("perplexity", "Measure how well a model predicts a text, compare two");
  command->footer(kHelp);
  add_model(*command, &flags->first.model);
  command->add_option("file", flags->file, "The text, UTF-8; - reads standard input")
      ->required()
      ->type_name("FILE");
  add_against(*command, flags.get());
  add_windows(*command, &flags->measure);
  add_kv(*command, &flags->first.kv_cache);
  command
      ->add_option("--isa", flags->first.isa,
                   "Instruction set: reference, avx2, ...; default: RSR_FORCE_ISA, or the best")
      ->check(check_isa)
      ->type_name("NAME");
  add_device(*command, &flags->first.device);
  add_threads(*command, &flags->engine.context.threads);
  add_pin(*command, &flags->engine.context.pin_threads);
  add_rsr(*command, &flags->engine.rsr_memory, &flags->engine.jit);
  add_verify(*command, &flags->engine.verify);
  command->add_flag("--json", flags->json, "One JSON object");
  command->callback([flags, &action] { action = [flags] { return run_perplexity(*flags); }; });
}

}  // namespace rsr::cli
