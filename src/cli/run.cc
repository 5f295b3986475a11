// rsr run: one prompt, one answer.
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "base/file.h"
#include "cli/commands.h"
#include "cli/generate_flags.h"
#include "cli/interrupt.h"
#include "cli/model_dir.h"
#include "cli/output.h"
#include "cli/text_input.h"
#include "rsr/engine.h"

namespace rsr::cli {
namespace {

struct RunOptions {
  GenerateFlags shared;
  std::string prompt;
  std::string prompt_file;
  bool json = false;
};

double rate(int64_t count, double seconds) {
  return seconds > 0 ? static_cast<double>(count) / seconds : 0.0;
}

/// Tokens that came from the decoding passes: the first is the prompt's.
int64_t decoded_tokens(const GenerateStats& stats) {
  return stats.decode_steps > 0 ? stats.new_tokens - 1 : 0;
}

double decode_rate(const GenerateStats& stats) {
  return rate(decoded_tokens(stats), stats.decode_seconds);
}

double gigabytes_per_second(const GenerateStats& stats) {
  return decode_rate(stats) * stats.bytes_per_token / 1e9;
}

double milliseconds_per_token(const GenerateStats& stats) {
  return stats.decode_steps > 0
             ? 1e3 * stats.decode_seconds / static_cast<double>(decoded_tokens(stats))
             : 0.0;
}

double acceptance(const GenerateStats& stats) {
  return stats.drafted_tokens > 0 ? static_cast<double>(stats.accepted_tokens) /
                                        static_cast<double>(stats.drafted_tokens)
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
  if (stats.cached_tokens > 0) {
    std::fprintf(stderr, "cache  %lld tokens of the prompt were not read again\n",
                 static_cast<long long>(stats.cached_tokens));
  }
  std::fprintf(stderr, "decode %lld tokens, %.1f tok/s, %.3f ms per token, %.2f GB/s\n",
               static_cast<long long>(stats.new_tokens), decode_rate(stats),
               milliseconds_per_token(stats), gigabytes_per_second(stats));
  if (stats.drafted_tokens > 0) {
    std::fprintf(
        stderr, "drafts %lld tokens, %lld accepted (%.0f%%), %.2f tokens per pass\n",
        static_cast<long long>(stats.drafted_tokens), static_cast<long long>(stats.accepted_tokens),
        100 * acceptance(stats),
        static_cast<double>(decoded_tokens(stats)) / static_cast<double>(stats.decode_steps));
  }
  if (stats.head_candidates > 0) {
    std::fprintf(stderr, "head   scanned, %.1f candidates per token\n", stats.head_candidates);
  }
}

std::string to_json(const std::string& text, const GenerateStats& stats) {
  const nlohmann::ordered_json json = {
      {"text", text},
      {"finish", finish_name(stats.finish)},
      {"prompt_tokens", stats.prompt_tokens},
      {"prompt_seconds", stats.prompt_seconds},
      {"prompt_tokens_per_second", rate(stats.prompt_tokens, stats.prompt_seconds)},
      {"cached_tokens", stats.cached_tokens},
      {"new_tokens", stats.new_tokens},
      {"decode_steps", stats.decode_steps},
      {"decode_seconds", stats.decode_seconds},
      {"decode_tokens_per_second", decode_rate(stats)},
      {"drafted_tokens", stats.drafted_tokens},
      {"accepted_tokens", stats.accepted_tokens},
      {"milliseconds_per_token", milliseconds_per_token(stats)},
      {"bytes_per_token", stats.bytes_per_token},
      {"gigabytes_per_second", gigabytes_per_second(stats)},
      {"head_candidates", stats.head_candidates},
  };
  return json.dump() + "\n";
}

constexpr size_t kPromptLimit = size_t{64} << 20;

Result<std::string> read_prompt(const RunOptions& options) {
  if (!options.prompt_file.empty()) return base::read_file(options.prompt_file, kPromptLimit);
  return options.prompt == "-" ? read_text("-", kPromptLimit) : options.prompt;
}

/// `stats` is empty where the answer ended in an error, already reported.
int finish_run(const Result<GenerateStats>& stats, const std::string& text, bool json,
               Output& output) {
  if (!json) output.write("\n");
  if (!stats.ok()) return fail(with_advice(stats.status()));
  if (json) output.write(to_json(text, *stats));
  if (output.reader_gone()) return kOk;
  if (!output.status().ok()) return fail(output.status());
  if (!json) print_stats(*stats);
  return stats->finish == FinishReason::cancelled ? kInterrupted : kOk;
}

int run(const RunOptions& options) {
  const Result<std::string> prompt = read_prompt(options);
  if (!prompt.ok()) return fail(prompt.status());
  const Result<Engine> engine = open_engine(options.shared);
  if (!engine.ok()) return fail_unless_interrupted(engine.status());
  Session session = engine->session();
  const Status system = session.set_system(options.shared.system);
  if (!system.ok()) return fail(with_advice(system).with_context("--system"));
  const Status cache = load_prompt_cache(options.shared.prompt_cache, session);
  if (!cache.ok()) return fail(cache);
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
  const Result<GenerateStats> stats = session.generate(*prompt, options.shared.generate, on_text);
  if (!stats.ok() && !began) return fail(with_advice(stats.status()));
  const int code = finish_run(stats, text, options.json, output);
  return stats.ok() ? save_prompt_cache(options.shared.prompt_cache, session, code) : code;
}

}  // namespace

void add_run(CLI::App& app, Action& action) {
  const auto options = std::make_shared<RunOptions>();
  CLI::App* command = app.add_subcommand("run", "Answer a prompt with a language model");
  command->footer(
      "The answer goes to standard output, the statistics to standard error. Ctrl-C ends the "
      "answer.");
  CLI::Option* prompt =
      command->add_option("-p,--prompt", options->prompt, "The prompt; - reads standard input")
          ->type_name("PROMPT");
  CLI::Option* file =
      command->add_option("--prompt-file", options->prompt_file, "Read the prompt from a file")
          ->excludes(prompt)
          ->type_name("FILE");
  CLI::Option* raw = command->add_flag("--raw", options->shared.generate.raw,
                                       "Feed the prompt as it is, without the chat template");
  command->add_flag("--json", options->json, "One JSON object with text and statistics");
  const ChatOptions chat = add_generate_flags(*command, &options->shared);
  chat.system->excludes(raw);
  chat.chat_template->excludes(raw);
  command->callback([options, prompt, file, &action] {
    if (prompt->count() + file->count() == 0) {
      throw CLI::RequiredError("--prompt or --prompt-file");
    }
    action = [options] { return run(*options); };
  });
}

}  // namespace rsr::cli
