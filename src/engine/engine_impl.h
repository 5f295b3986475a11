// What an Engine holds: threads, weights, tokenizer, chat template.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>

#include "engine/generation_config.h"
#include "model/device_model.h"
#include "model/kv_cache.h"
#include "model/kv_layout.h"
#include "model/weights.h"
#include "rsr/engine.h"
#include "text/chat_template.h"
#include "text/tokenizer.h"

namespace rsr {

struct Engine::Impl {
  Context context;
  model::Model model;
  text::Tokenizer tokenizer;
  engine::GenerationConfig generation;
  /// Empty when the model has none, or one that is not known; then `chat_error` says so.
  std::optional<text::ChatTemplate> chat;
  Status chat_error;
  int64_t context_length = 0;
  model::KvType kv_type = model::KvType::f16;
  /// The weights on the device where tokens are read; null: the CPU.
  std::shared_ptr<const model::DeviceModel> device = {};
  /// Whose keys and values those of the sessions are. Reads the weights of an unprepared model, so
  /// it is made when it is first asked for.
  const model::KvOwner& kv_owner() const;

  struct LazyOwner {
    std::once_flag once = {};
    model::KvOwner owner = {};
  };
  mutable LazyOwner lazy_owner = {};
};

}  // namespace rsr
