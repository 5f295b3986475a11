#include <algorithm>
#include <chrono>
#include <cmath>
#include <mutex>
#include <new>

#include "base/check.h"
#include "engine/prompt.h"
#include "engine/session_impl.h"
#include "model/kv_cache.h"

namespace rsr {
namespace {

using base::error;

/// Adds the time that it lives to a number of seconds.
class Stopwatch {
 public:
  explicit Stopwatch(double* seconds) : seconds_(seconds) {}
  Stopwatch(const Stopwatch&) = delete;
  Stopwatch& operator=(const Stopwatch&) = delete;
  ~Stopwatch() {
    *seconds_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  }

 private:
  double* seconds_;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

Status check_options(const GenerateOptions& options) {
  if (options.max_tokens < 0) {
    return error(ErrorCode::invalid_argument, "max_tokens is ", options.max_tokens,
                 ", must not be negative");
  }
  const float temperature = options.temperature.value_or(0.0f);
  if (!std::isfinite(temperature) || temperature < 0.0f) {
    return error(ErrorCode::invalid_argument, "temperature is ", temperature,
                 ", must be finite and not negative");
  }
  return {};
}

bool deliver(const TextCallback& on_text, std::string_view piece) {
  return !on_text || on_text(piece);
}

}  // namespace

Result<std::vector<int32_t>> Session::Impl::tokenize(std::string_view prompt, bool raw) const {
  const text::Tokenizer& tokenizer = engine->tokenizer;
  const bool first = sequence->length == 0 && unread.empty();
  if (!raw && !engine->chat_error.ok()) {
    return engine->chat_error.with_context("only raw prompts are possible");
  }
  if (raw || !engine->chat) {
    return engine::raw_prompt(tokenizer, prompt, first ? engine::Turn::first : engine::Turn::next);
  }
  const engine::Turn turn = in_chat ? engine::Turn::next : engine::Turn::first;
  RSR_ASSIGN_OR_RETURN(std::vector<int32_t> ids,
                       engine::chat_prompt(tokenizer, *engine->chat, prompt, turn));
  const bool has_bos = !ids.empty() && ids.front() == engine->model.config.bos_token_id;
  if (!first && has_bos) ids.erase(ids.begin());  // raw text came before: it has begun already
  return ids;
}

Result<std::vector<int32_t>> Session::Impl::tokens_to_read(std::string_view prompt,
                                                           bool raw) const {
  RSR_ASSIGN_OR_RETURN(const std::vector<int32_t> ids, tokenize(prompt, raw));
  std::vector<int32_t> tokens = unread;
  tokens.insert(tokens.end(), ids.begin(), ids.end());
  if (tokens.empty()) return error(ErrorCode::invalid_argument, "the prompt is empty");
  const auto count = static_cast<int64_t>(tokens.size());
  if (count > room()) {
    return error(ErrorCode::limit_exceeded, "the prompt does not fit: ", count,
                 " tokens to read, room for ", room(), " in a context of ", engine->context_length);
  }
  return tokens;
}

void Session::Impl::read(std::span<const int32_t> tokens, model::LogitsOf which) {
  Context::Impl& context = engine->context.impl();
  const std::lock_guard lock(context.mutex);
  logits = model::forward(context, engine->model, *sequence, tokens, which);
}

bool Session::Impl::read_prompt(std::span<const int32_t> tokens, const TextCallback& on_text) {
  const int64_t start = sequence->length;
  while (tokens.size() > model::kTile) {
    read(tokens.first(model::kTile), model::LogitsOf::none);
    tokens = tokens.subspan(model::kTile);
    if (!deliver(on_text, "")) {
      sequence->length = start;
      return false;
    }
  }
  read(tokens, model::LogitsOf::last);
  return true;
}

Status Session::Impl::answer(const GenerateOptions& options, const TextCallback& on_text,
                             GenerateStats* stats) {
  const engine::GenerationConfig& defaults = engine->generation;
  engine::Sampler sampler(options.temperature.value_or(defaults.temperature), options.seed);
  text::Utf8Stream stream;
  while (true) {
    int32_t id = 0;
    {
      const Stopwatch watch(&stats->decode_seconds);
      if (!unread.empty()) {
        read(unread, model::LogitsOf::last);
        unread.clear();
        ++stats->decode_steps;
      }
      // Rows of the table beyond the tokenizer's ids are padding.
      const auto ids = static_cast<size_t>(engine->tokenizer.vocab_size());
      RSR_ASSIGN_OR_RETURN(id, sampler.sample(logits.first(ids)));
    }
    ++stats->new_tokens;
    if (std::binary_search(defaults.stop_ids.begin(), defaults.stop_ids.end(), id)) {
      stats->finish = FinishReason::stop;
      break;
    }
    unread = {id};
    if (!deliver(on_text, stream.push(engine->tokenizer.token_bytes(id, true)))) {
      stats->finish = FinishReason::cancelled;
      return {};
    }
    if (stats->new_tokens == options.max_tokens || room() == 0) {
      stats->finish = FinishReason::length;
      break;
    }
  }
  if (const std::string rest = stream.finish(); !rest.empty()) deliver(on_text, rest);
  return {};
}

Result<GenerateStats> Session::Impl::generate(std::string_view prompt,
                                              const GenerateOptions& options,
                                              const TextCallback& on_text) {
  RSR_RETURN_IF_ERROR(check_options(options));
  const model::Model& model = engine->model;
  if (!sequence) {
    RSR_ASSIGN_OR_RETURN(model::KvCache cache,
                         model::KvCache::create(model.config, engine->context_length));
    sequence.emplace(std::move(cache));
  }
  RSR_ASSIGN_OR_RETURN(const std::vector<int32_t> tokens, tokens_to_read(prompt, options.raw));
  GenerateStats stats;
  stats.prompt_tokens = static_cast<int64_t>(tokens.size());
  bool read_all = false;
  {
    const Stopwatch watch(&stats.prompt_seconds);
    read_all = read_prompt(tokens, on_text);
  }
  if (!read_all) {
    stats.finish = FinishReason::cancelled;
    return stats;
  }
  unread.clear();
  in_chat = in_chat || (engine->chat && !options.raw);
  const int64_t first = sequence->length;
  RSR_RETURN_IF_ERROR(answer(options, on_text, &stats));
  const double mean_length = static_cast<double>(first + sequence->length) / 2;
  stats.bytes_per_token =
      static_cast<double>(model.weight_bytes()) +
      mean_length * static_cast<double>(model::KvCache::bytes_per_position(model.config));
  return stats;
}

Session::Session(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Session::~Session() = default;
Session::Session(Session&&) noexcept = default;
Session& Session::operator=(Session&&) noexcept = default;

Result<GenerateStats> Session::generate(std::string_view prompt, const GenerateOptions& options,
                                        const TextCallback& on_text) {
  try {
    return impl_->generate(prompt, options, on_text);
  } catch (const std::bad_alloc&) {
    return error(ErrorCode::limit_exceeded, "out of memory");
  }
}

}  // namespace rsr
