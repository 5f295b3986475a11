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
  WindowReader reader(engine, std::move(cache));
  if (engine.device != nullptr) {
    RSR_ASSIGN_OR_RETURN(
        reader.sequence_.device,
        model::DeviceSequence::create(engine.device, engine.model, positions, type));
  }
  return reader;
}

Result<std::span<const float>> WindowReader::forward(std::span<const int32_t> tokens,
                                                     model::LogitsOf which) {
  using Clock = std::chrono::steady_clock;
  const Clock::time_point start = Clock::now();
  Result<std::span<const float>> logits = std::span<const float>();
  if (sequence_.device != nullptr) {
    const auto count = static_cast<int64_t>(tokens.size());
    logits = sequence_.device->forward(tokens, sequence_.length,
                                       which == model::LogitsOf::all ? count : 0);
    sequence_.length += count;
  } else {
    Context::Impl& context = engine_->context.impl();
    const std::lock_guard lock(context.mutex);
    logits = model::forward(context, engine_->model, sequence_, tokens, which);
  }
  seconds_ += std::chrono::duration<double>(Clock::now() - start).count();
  return logits;
}

}  // namespace rsr::engine
