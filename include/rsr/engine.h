// A language model in two calls: open a directory, generate text.
#pragma once

#include <rsr/linear.h>
#include <rsr/status.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace rsr {

struct EngineOptions {
  ContextOptions context = {};
  /// Tokens of context to make room for; 0: what the model was trained for, which is also the most.
  int64_t context_length = 0;
};

/// Sampling of one generation. What is not set comes from the model's generation_config.json (its
/// temperature, when it asks to sample; top_p and top_k are not applied), and where that is silent
/// the most likely token is taken (greedy).
struct GenerateOptions {
  /// Most new tokens; 0: until the context is full.
  int64_t max_tokens = 0;
  /// 0: greedy. Otherwise logits are divided by it before sampling.
  std::optional<float> temperature = {};
  /// Equal seeds give equal text, whatever the number of threads.
  uint64_t seed = 0;
  /// Feed the prompt as it is, without the model's chat template.
  bool raw = false;
};

enum class FinishReason {
  stop,      ///< the model ended its answer
  length,    ///< max_tokens were generated, or the context is full
  cancelled  ///< the callback returned false
};

/// What a generation did. Seconds are wall time.
struct GenerateStats {
  /// Tokens read before the first new one, and the time that took.
  int64_t prompt_tokens = 0;
  double prompt_seconds = 0;
  /// Tokens generated, the one that ends an answer included.
  int64_t new_tokens = 0;
  /// Forward passes of one token and their time (with sampling, without the callback). The first
  /// new token comes from the prompt's pass, so this is new_tokens - 1.
  int64_t decode_steps = 0;
  double decode_seconds = 0;
  /// Bytes that such a pass reads, on average: every packed matrix and norm, the head, and the keys
  /// and values of the tokens so far.
  double bytes_per_token = 0;
  FinishReason finish = FinishReason::stop;
};

/// Receives the text, always whole UTF-8 characters: after each token what became complete with it,
/// and nothing (an empty piece) now and then while a long prompt is read. Returning false ends the
/// generation; the session remains usable, and a prompt that was not read to its end is forgotten.
using TextCallback = std::function<bool(std::string_view piece)>;

/// A conversation: its own cache of keys and values over the engine's shared weights.
class Session {
 public:
  ~Session();
  Session(Session&&) noexcept;
  Session& operator=(Session&&) noexcept;

  /// Answers `prompt`, which follows everything this session has seen: the user's next turn, where
  /// the model has a chat template. Errors: a prompt that does not fit the context (limit_exceeded,
  /// with both numbers), bad options; the session is then as it was before.
  Result<GenerateStats> generate(std::string_view prompt, const GenerateOptions& options,
                                 const TextCallback& on_text);

  struct Impl;

 private:
  friend class Engine;
  explicit Session(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// A loaded model. Sessions keep it alive.
class Engine {
 public:
  /// Reads a Hugging Face model directory (config.json, tokenizer.json, safetensors). What is not
  /// understood is refused with its name.
  static Result<Engine> open(const std::string& directory, const EngineOptions& options = {});

  Session session() const;

  struct Impl;
  const Impl& impl() const { return *impl_; }

 private:
  explicit Engine(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}
  std::shared_ptr<const Impl> impl_;
};

}  // namespace rsr
