#include "engine/window_reader.h"

#include <chrono>
#include <mutex>
#include <utility>

#include "base/check.h"

namespace rsr::engine {

Result<WindowReader> WindowReader::create(const Engine::Impl& engine, int64_t positions,
                                          model::KvType type) {
  RSR_ASSIGN_OR_RETURN(model::KvCache cache,
                       model::KvCache::create(engine.model.config, positions, type));
  return WindowReader(engine, std::move(cache));
}

std::span<const float> WindowReader::forward(std::span<const int32_t> tokens,
                                             model::LogitsOf which) {
  using Clock = std::chrono::steady_clock;
  Context::Impl& context = engine_->context.impl();
  const std::lock_guard lock(context.mutex);
  const Clock::time_point start = Clock::now();
  const auto logits = model::forward(context, engine_->model, sequence_, tokens, which);
  seconds_ += std::chrono::duration<double>(Clock::now() - start).count();
  return logits;
}

}  // namespace rsr::engine
