#include "cli/generate_flags.h"

#include <unistd.h>

#include <charconv>
#include <cmath>
#include <cstdio>
#include <limits>
#include <map>

#include "base/check.h"
#include "cli/commands.h"
#include "cli/model_dir.h"

namespace rsr::cli {
namespace {

/// The parser alone would take "-1" for a huge number, and cut off a number that is too large.
template <class Integer>
std::string check_count(const std::string& text) {
  Integer value = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (problem == std::errc() && end == text.data() + text.size() && value >= 0) return {};
  return "must be a whole number of 0 to " + std::to_string(std::numeric_limits<Integer>::max()) +
         ": " + text;
}

/// A number of bytes, with or without a unit; the parser alone would take too large a one for the
/// largest that there is.
std::string check_size(const std::string& text) {
  constexpr size_t kMostDigits = 15;
  const size_t digits = text.find_first_not_of("0123456789");
  const size_t count = digits == std::string::npos ? text.size() : digits;
  if (count >= 1 && count <= kMostDigits) return {};
  return "must be a number of bytes with at most " + std::to_string(kMostDigits) +
         " digits, such as 500M or 2G: " + text;
}

/// A check of one number: finite, and what `holds` says. NaN holds nowhere.
template <class Condition>
auto number(const char* rule, Condition holds) {
  return [rule, holds](const std::string& text) -> std::string {
    float value = 0.0f;
    if (CLI::detail::lexical_cast(text, value) && std::isfinite(value) && holds(value)) return {};
    return "must be " + std::string(rule) + ": " + text;
  };
}

constexpr float kMostBias = 100.0f;

/// "ID=VALUE"; false when it is not.
bool parse_bias(const std::string& text, std::map<int32_t, float>* biases) {
  const size_t equals = text.find('=');
  if (equals == std::string::npos) return false;
  int32_t id = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + equals, id);
  float value = 0.0f;
  const bool parsed = problem == std::errc() && end == text.data() + equals && id >= 0 &&
                      CLI::detail::lexical_cast(text.substr(equals + 1), value);
  if (!parsed || !(std::abs(value) <= kMostBias)) return false;
  biases->insert_or_assign(id, value);
  return true;
}

std::string check_bias(const std::string& text) {
  std::map<int32_t, float> ignored;
  if (parse_bias(text, &ignored)) return {};
  return "must be ID=VALUE, a token id and a number of -100 to 100: " + text;
}

void add_choice(CLI::App& command, GenerateOptions* generate) {
  command
      .add_option("--temperature", generate->temperature,
                  "0: the likeliest token; above: sample. Default: what the model asks for")
      ->check(number("a finite number, not negative", [](float v) { return v >= 0; }))
      ->type_name("T");
  command.add_option("--top-k", generate->top_k, "Sample among the K likeliest tokens; 0: all")
      ->check(check_count<int64_t>)
      ->type_name("K");
  command
      .add_option("--top-p", generate->top_p,
                  "Sample among the likeliest tokens that together have probability P")
      ->check(number("above 0 and at most 1", [](float v) { return v > 0 && v <= 1; }))
      ->type_name("P");
  command
      .add_option("--min-p", generate->min_p,
                  "Sample among tokens at least P times as likely as the likeliest")
      ->check(number("from 0 to 1", [](float v) { return v >= 0 && v <= 1; }))
      ->type_name("P");
  command.add_option("--seed", generate->seed, "Seed of sampling; equal seeds give equal text")
      ->check(check_count<uint64_t>)
      ->type_name("S");
}

void add_penalties(CLI::App& command, GenerateOptions* generate) {
  const auto within_two = number("from -2 to 2", [](float v) { return v >= -2 && v <= 2; });
  command
      .add_option("--repetition-penalty", generate->repetition_penalty,
                  "Divides the score of tokens of the context; 1: none")
      ->check(number("a finite number above 0", [](float v) { return v > 0; }))
      ->type_name("R");
  command
      .add_option("--presence-penalty", generate->presence_penalty,
                  "Taken from the score of every token that was generated")
      ->check(within_two)
      ->type_name("R");
  command
      .add_option("--frequency-penalty", generate->frequency_penalty,
                  "The same, times how often it was generated")
      ->check(within_two)
      ->type_name("R");
  // Parsed here and not by the parser's maps, which would take a value without its id.
  command
      .add_option_function<std::vector<std::string>>(
          "--logit-bias",
          [generate](const std::vector<std::string>& biases) {
            for (const std::string& bias : biases) parse_bias(bias, &generate->logit_bias);
          },
          "Added to the score of token ID; repeatable")
      ->allow_extra_args(false)
      ->check(check_bias)
      ->type_name("ID=VALUE");
}

void add_end(CLI::App& command, GenerateOptions* generate) {
  command.add_option("--max-tokens", generate->max_tokens, "Most new tokens; 0: as context allows")
      ->check(check_count<int64_t>)
      ->type_name("N");
  command.add_option("--stop", generate->stop, "End the answer before this text; repeatable")
      ->allow_extra_args(false)
      ->check([](const std::string& text) {
        return std::string(text.empty() ? "must not be empty" : "");
      })
      ->type_name("TEXT");
  command.add_flag("--ignore-eos", generate->ignore_eos,
                   "Do not end where the model ends its answer");
}

void add_draft(CLI::App& command, Draft* draft) {
  command
      .add_option_function<std::string>(
          "--draft",
          [draft](const std::string& how) { *draft = how == "ngram" ? Draft::ngram : Draft::none; },
          "Guess tokens, and read several in one pass: ngram looks where the last ones stood "
          "before. "
          "The text is the same, sooner where it repeats itself. Default: none")
      ->check(CLI::IsMember({"none", "ngram"}))
      ->type_name("HOW");
}

}  // namespace

void add_head(CLI::App& command, HeadMethod* method) {
  command
      .add_option_function<std::string>(
          "--head",
          [method](const std::string& how) {
            *method = how == "full"   ? HeadMethod::full
                      : how == "scan" ? HeadMethod::scan
                                      : HeadMethod::automatic;
          },
          "How the next token is found: full (all logits), scan (bounds from an 8-bit copy first: "
          "the same tokens, half the bytes) or automatic")
      ->check(CLI::IsMember({"automatic", "full", "scan"}))
      ->type_name("HOW");
}

void add_kv(CLI::App& command, const char* flag, const char* help,
            const std::function<void(KvCacheType)>& take) {
  command
      .add_option_function<std::string>(
          flag,
          [take](const std::string& name) {
            take(name == "f32"  ? KvCacheType::f32
                 : name == "i8" ? KvCacheType::i8
                                : KvCacheType::f16);
          },
          help)
      ->check(CLI::IsMember({"f32", "f16", "i8"}))
      ->type_name("TYPE");
}

void add_kv(CLI::App& command, KvCacheType* type) {
  add_kv(command, "--kv",
         "How keys and values of past tokens are kept: f32, f16 (the default) or i8",
         [type](KvCacheType taken) { *type = taken; });
}

void add_device(CLI::App& command, std::string* device) {
  command
      .add_option("--device", *device,
                  "Where tokens go through the model: cpu (the default) or a GPU: cuda, cuda:1")
      ->type_name("DEVICE");
}

void add_rsr(CLI::App& command, int64_t* memory, bool* jit) {
  CLI::Option* size =
      command
          .add_option(
              "--rsr-memory", *memory,
              "Bytes (or 500M, 2G) that indexes of equal columns may take, which make prompts "
              "faster where they gain; 0: none")
          ->transform(CLI::AsSizeValue(false))
          ->transform(CLI::Validator(check_size, "SIZE"))  // runs before the other
          ->type_name("SIZE");
  command.add_flag("--jit", *jit, "Make these indexes machine code: faster, 3 to 4 times as large")
      ->needs(size);
}

ChatOptions add_generate_flags(CLI::App& command, GenerateFlags* flags) {
  add_model(command, &flags->model);
  ChatOptions options = {};
  options.system =
      command.add_option("--system", flags->system, "System message in front")->type_name("TEXT");
  options.chat_template = command
                              .add_option("--chat-template", flags->engine.chat_template,
                                          "A known template in place of the model's own")
                              ->check(CLI::IsMember(Engine::chat_template_names()))
                              ->type_name("NAME");
  add_end(command, &flags->generate);
  add_choice(command, &flags->generate);
  add_penalties(command, &flags->generate);
  add_device(command, &flags->engine.device);
  add_threads(command, &flags->engine.context.threads);
  add_kv(command, &flags->engine.kv_cache);
  add_pin(command, &flags->engine.context.pin_threads);
  add_verify(command, &flags->engine.verify);
  command
      .add_option("--context", flags->engine.context_length,
                  "Tokens of context; 0: what the model was trained for")
      ->check(check_count<int64_t>)
      ->type_name("N");
  add_head(command, &flags->engine.head);
  add_rsr(command, &flags->engine.rsr_memory, &flags->engine.jit);
  add_draft(command, &flags->generate.draft);
  add_prompt_cache(command, &flags->prompt_cache);
  return options;
}

Result<Engine> open_engine(const GenerateFlags& flags) {
  const Result<std::string> directory = model_directory(flags.model);
  if (!directory.ok()) return directory.status();
  const bool terminal = isatty(STDERR_FILENO) == 1;
  if (terminal) std::fprintf(stderr, "loading %s ...", flags.model.c_str());
  Result<Engine> engine = Engine::open(*directory, flags.engine);
  if (terminal) std::fprintf(stderr, "\r\033[K");
  if (engine.ok()) print_notice(engine->notice());
  const Status status = engine.status();
  if (status.message().starts_with("context_length")) return status.with_context("--context");
  return engine;
}

Status with_advice(const Status& status) {
  if (status.code() != ErrorCode::unsupported) return status;
  // Of what a loaded model can refuse, only its template is not supported.
  return base::error(status.code(), status.message(), "; --chat-template NAME chooses one");
}

}  // namespace rsr::cli
