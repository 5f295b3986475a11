// A conversation: which tokens the model has read, and which it has yet to read.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "engine/engine_impl.h"
#include "engine/sampler.h"
#include "model/forward.h"
#include "rsr/engine.h"

namespace rsr {

struct Session::Impl {
  explicit Impl(std::shared_ptr<const Engine::Impl> shared) : engine(std::move(shared)) {}

  Result<GenerateStats> generate(std::string_view prompt, const GenerateOptions& options,
                                 const TextCallback& on_text);

 private:
  /// Tokens of the prompt, as it continues what this session has seen.
  Result<std::vector<int32_t>> tokenize(std::string_view prompt, bool raw) const;

  /// The unread token and the prompt's, when they fit the context.
  Result<std::vector<int32_t>> tokens_to_read(std::string_view prompt, bool raw) const;

  /// Reads a prompt tile by tile; false when the callback ended it, and nothing has changed then.
  bool read_prompt(std::span<const int32_t> tokens, const TextCallback& on_text);

  /// Generates after a prompt; fills in everything but the prompt's numbers.
  Status answer(const GenerateOptions& options, const TextCallback& on_text, GenerateStats* stats);

  /// One forward pass; the engine's sessions take turns.
  void read(std::span<const int32_t> tokens, model::LogitsOf which);

  int64_t room() const { return engine->context_length - sequence->length; }

  std::shared_ptr<const Engine::Impl> engine;
  std::optional<model::Sequence> sequence;  // from the first generate() on
  std::vector<int32_t> unread;    // the last token of an answer: said, not yet in the cache
  std::span<const float> logits;  // of the last token read; in the sequence's scratch
  bool in_chat = false;           // an answer of the chat template is open
};

}  // namespace rsr
