// A model that reads windows of a text and gives the logits of their positions.
#pragma once

#include <cstdint>
#include <span>

#include "engine/engine_impl.h"
#include "model/forward.h"
#include "model/kv_cache.h"

namespace rsr::engine {

class WindowReader {
 public:
  /// With a cache of its own for `positions`, where the engine's tokens are read. The engine must
  /// outlive the reader.
  static Result<WindowReader> create(const Engine::Impl& engine, int64_t positions,
                                     model::KvType type);

  /// Forgets what was read: the next token is the first.
  void restart() { sequence_.length = 0; }

  /// Reads tokens that nothing is predicted from. Errors, here and below: what a device reports.
  Status skip(std::span<const int32_t> tokens) {
    return forward(tokens, model::LogitsOf::none).status();
  }

  /// Reads tokens; gives logits [tokens, vocab], valid until the next call.
  Result<std::span<const float>> read(std::span<const int32_t> tokens) {
    return forward(tokens, model::LogitsOf::all);
  }

  const Engine::Impl& engine() const { return *engine_; }

  /// Wall time of all reading so far.
  double seconds() const { return seconds_; }

 private:
  WindowReader(const Engine::Impl& engine, model::KvCache cache)
      : engine_(&engine), sequence_(std::move(cache)) {}
  Result<std::span<const float>> forward(std::span<const int32_t> tokens, model::LogitsOf which);

  const Engine::Impl* engine_;
  model::Sequence sequence_;
  double seconds_ = 0;
};

}  // namespace rsr::engine
