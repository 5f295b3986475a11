// A conversation: which tokens the model has read, and which it has yet to read.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/engine_impl.h"
#include "engine/head.h"
#include "engine/history.h"
#include "engine/ngram_drafts.h"
#include "engine/reply.h"
#include "engine/sampler.h"
#include "model/forward.h"
#include "model/kv_file.h"
#include "rsr/engine.h"

namespace rsr {

struct Session::Impl {
  explicit Impl(std::shared_ptr<const Engine::Impl> shared) : engine(std::move(shared)) {}

  Result<GenerateStats> generate(std::string_view prompt, const GenerateOptions& options,
                                 const TextCallback& on_text);
  Status set_system(std::string_view text);
  void reset();
  Result<int64_t> load_prompt_cache(const std::string& path);
  Result<bool> save_prompt_cache(const std::string& path) const;
  const std::vector<int32_t>& tokens() const { return history.ids; }

 private:
  class Undo;

  /// Makes the sequence, which the first use does.
  Status reserve();
  /// Keys and values from a prompt cache, and the held ones into one.
  Status read_file(const model::KvFile& file, int64_t count);
  Status write_file(const std::string& path) const;

  /// What the history is to be when the prompt has been read.
  Result<engine::History> after_prompt(std::string_view prompt, bool raw) const;
  Result<engine::History> after_raw_prompt(std::string_view prompt) const;
  Result<engine::History> after_turn(std::string_view prompt) const;

  /// How many tokens of the cache stay for a history of `ids`, of which at least one is to be read;
  /// an error when the rest does not fit.
  Result<int64_t> tokens_kept(const std::vector<int32_t>& ids) const;

  /// Reads what is unread, tile by tile; false when the callback ended it. Fills in the numbers of
  /// the prompt.
  Result<bool> read_prompt(const engine::Sampler& sampler, const TextCallback& on_text,
                           GenerateStats* stats);

  /// Generates after a prompt; fills in everything but the prompt's numbers.
  Status answer(const GenerateOptions& options, engine::Sampler* sampler, engine::Reply* reply,
                GenerateStats* stats);
  Result<int32_t> next_token(const GenerateOptions& options, engine::Sampler* sampler,
                             GenerateStats* stats);
  /// Fills in what was counted of an answer whose prompt ended at `first`.
  void count_answer(int64_t first, GenerateStats* stats) const;
  /// How many guesses may follow the unread tokens.
  int64_t room_for_drafts(const GenerateOptions& options, const GenerateStats& stats) const;

  /// One forward pass over the next `count` unread tokens without a head.
  Status read_on(size_t count);
  /// One over all unread tokens, for the sampler, and over `guesses` behind them, which are in the
  /// cache then, but not counted to the sequence.
  Status read_last(const engine::Sampler& sampler, std::span<const int32_t> guesses);
  engine::HeadModel head_model() {
    return {engine->context.impl(), engine->model, engine->tokenizer.vocab_size(), *sequence};
  }

  std::span<const int32_t> unread_tokens() const {
    return std::span(history.ids).subspan(static_cast<size_t>(sequence->length));
  }
  size_t unread() const { return history.ids.size() - static_cast<size_t>(sequence->length); }
  int64_t room() const { return engine->context_length - sequence->length; }

  std::shared_ptr<const Engine::Impl> engine;
  std::optional<model::Sequence> sequence;  // from the first generate() on
  engine::History history;
  /// Tokens whose keys and values are the first in the sequence's cache, whether or not they are
  /// history: of the latest prompt as far as it was read, or of a loaded file.
  std::vector<int32_t> held;
  std::string system;  // the system message; empty: none
  engine::Head head;
  engine::NgramDrafts drafts;  // of the present answer
  std::vector<int32_t> step;   // tokens of a pass, guesses included
};

}  // namespace rsr
