// rsr run: one prompt, one answer.
#include <unistd.h>

#include <charconv>
#include <cmath>
#include <cstdio>
#include <iostream>
#include <iterator>
#include <limits>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/output.h"
#include "rsr/engine.h"

namespace rsr::cli {
namespace {

struct RunOptions {
  std::string directory;
  std::string prompt;
  EngineOptions engine;
  GenerateOptions generate;
  float temperature = 0.0f;
  bool json = false;
};

double rate(int64_t count, double seconds) {
  return seconds > 0 ? static_cast<double>(count) / seconds : 0.0;
}

double gigabytes_per_second(const GenerateStats& stats) {
  return rate(stats.decode_steps, stats.decode_seconds) * stats.bytes_per_token / 1e9;
}

double milliseconds_per_token(const GenerateStats& stats) {
  return stats.decode_steps > 0
             ? 1e3 * stats.decode_seconds / static_cast<double>(stats.decode_steps)
             : 0.0;
}

const char* finish_name(FinishReason finish) {
  switch (finish) {
    case FinishReason::stop:
      return "stop";
    case FinishReason::length:
      return "length";
    case FinishReason::cancelled:
      return "cancelled";
  }
  return "";
}

void print_stats(const GenerateStats& stats) {
  std::fprintf(stderr, "prompt %lld tokens, %.1f tok/s\n",
               static_cast<long long>(stats.prompt_tokens),
               rate(stats.prompt_tokens, stats.prompt_seconds));
  std::fprintf(stderr, "decode %lld tokens, %.1f tok/s, %.3f ms per token, %.2f GB/s\n",
               static_cast<long long>(stats.new_tokens),
               rate(stats.decode_steps, stats.decode_seconds), milliseconds_per_token(stats),
               gigabytes_per_second(stats));
}

std::string to_json(const std::string& text, const GenerateStats& stats) {
  const nlohmann::ordered_json json = {
      {"text", text},
      {"finish", finish_name(stats.finish)},
      {"prompt_tokens", stats.prompt_tokens},
      {"prompt_seconds", stats.prompt_seconds},
      {"prompt_tokens_per_second", rate(stats.prompt_tokens, stats.prompt_seconds)},
      {"new_tokens", stats.new_tokens},
      {"decode_steps", stats.decode_steps},
      {"decode_seconds", stats.decode_seconds},
      {"decode_tokens_per_second", rate(stats.decode_steps, stats.decode_seconds)},
      {"milliseconds_per_token", milliseconds_per_token(stats)},
      {"bytes_per_token", stats.bytes_per_token},
      {"gigabytes_per_second", gigabytes_per_second(stats)},
  };
  return json.dump() + "\n";
}

/// Loads the model; on a terminal, says so for as long as it takes.
Result<Engine> open_engine(const RunOptions& options) {
  const bool terminal = isatty(STDERR_FILENO) == 1;
  if (terminal) std::fprintf(stderr, "loading %s ...", options.directory.c_str());
  Result<Engine> engine = Engine::open(options.directory, options.engine);
  if (terminal) std::fprintf(stderr, "\r\033[K");
  const Status status = engine.status();
  if (status.message().starts_with("context_length")) return status.with_context("--context");
  return engine;
}

/// `stats` is empty where the answer ended in an error, already reported.
int finish_run(const Result<GenerateStats>& stats, const std::string& text, bool json,
               Output& output) {
  if (!json) output.write("\n");
  if (!stats.ok()) return fail(stats.status());
  if (json) output.write(to_json(text, *stats));
  if (output.reader_gone()) return kOk;
  if (!output.status().ok()) return fail(output.status());
  if (!json) print_stats(*stats);
  return stats->finish == FinishReason::cancelled ? kInterrupted : kOk;
}

int run(const RunOptions& options) {
  std::string prompt = options.prompt;
  if (prompt == "-") prompt.assign(std::istreambuf_iterator<char>(std::cin), {});
  const Result<Engine> engine = open_engine(options);
  if (!engine.ok()) return fail(engine.status());
  Session session = engine->session();
  Output output;
  std::string text;
  bool began = false;
  catch_interrupt();
  const auto on_text = [&](std::string_view piece) {
    began = true;
    if (options.json) {
      text += piece;
    } else if (!output.write(piece)) {
      return false;
    }
    return !interrupted();
  };
  const Result<GenerateStats> stats = session.generate(prompt, options.generate, on_text);
  if (!stats.ok() && !began) return fail(stats.status());
  return finish_run(stats, text, options.json, output);
}

/// The parser alone would take "-1" for a huge number, and cut off a number that is too large.
template <class Integer>
std::string check_count(const std::string& text) {
  Integer value = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (problem == std::errc() && end == text.data() + text.size() && value >= 0) return {};
  return "must be a whole number of 0 to " + std::to_string(std::numeric_limits<Integer>::max()) +
         ": " + text;
}

std::string check_temperature(const std::string& text) {
  float value = 0.0f;
  if (CLI::detail::lexical_cast(text, value) && std::isfinite(value) && value >= 0.0f) return {};
  return "must be a finite number, not negative: " + text;
}

}  // namespace

void add_run(CLI::App& app, Action& action) {
  const auto options = std::make_shared<RunOptions>();
  GenerateOptions& generate = options->generate;
  CLI::App* command = app.add_subcommand("run", "Answer a prompt with a language model");
  command->footer(
      "The answer goes to standard output, the statistics to standard error. Ctrl-C ends the "
      "answer.");
  command->add_option("model", options->directory, "Model directory (config.json, safetensors)")
      ->required()
      ->type_name("DIR");
  command->add_option("-p,--prompt", options->prompt, "The prompt; - reads standard input")
      ->required()
      ->type_name("PROMPT");
  command->add_flag("--raw", generate.raw, "Feed the prompt as it is, without the chat template");
  command->add_option("--max-tokens", generate.max_tokens, "Most new tokens; 0: as context allows")
      ->check(check_count<int64_t>)
      ->type_name("N");
  const CLI::Option* temperature =
      command
          ->add_option("--temperature", options->temperature,
                       "0: the likeliest token; above: sample. Default: what the model asks for")
          ->check(check_temperature)
          ->type_name("T");
  command->add_option("--seed", generate.seed, "Seed of sampling; equal seeds give equal text")
      ->check(check_count<uint64_t>)
      ->type_name("S");
  add_threads(*command, &options->engine.context.threads);
  command
      ->add_option("--context", options->engine.context_length,
                   "Tokens of context; 0: what the model was trained for")
      ->check(check_count<int64_t>)
      ->type_name("N");
  command->add_flag("--json", options->json, "One JSON object with text and statistics");
  command->callback([options, temperature, &action] {
    if (temperature->count() > 0) options->generate.temperature = options->temperature;
    action = [options] { return run(*options); };
  });
}

}  // namespace rsr::cli
