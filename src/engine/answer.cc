// The part of a session that runs the model: reads tokens, says tokens.
#include <algorithm>
#include <chrono>
#include <mutex>

#include "base/check.h"
#include "engine/sampling.h"
#include "engine/session_impl.h"

namespace rsr {
namespace {

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

}  // namespace

Status Session::Impl::read_on(size_t count) {
  if (sequence->device != nullptr) {
    RSR_RETURN_IF_ERROR(
        sequence->device->forward(unread_tokens().first(count), sequence->length, 0).status());
    sequence->length += static_cast<int64_t>(count);
    return {};
  }
  Context::Impl& context = engine->context.impl();
  const std::lock_guard lock(context.mutex);
  model::forward(context, engine->model, *sequence, unread_tokens().first(count),
                 model::LogitsOf::none);
  return {};
}

Status Session::Impl::read_last(const engine::Sampler& sampler, std::span<const int32_t> guesses) {
  const auto unread = unread_tokens();
  step.assign(unread.begin(), unread.end());
  step.insert(step.end(), guesses.begin(), guesses.end());
  RSR_RETURN_IF_ERROR(
      head.read(head_model(), step, 1 + static_cast<int64_t>(guesses.size()), sampler));
  sequence->length -= static_cast<int64_t>(guesses.size());
  return {};
}

Result<bool> Session::Impl::read_prompt(const engine::Sampler& sampler, const TextCallback& on_text,
                                        GenerateStats* stats) {
  const Stopwatch watch(&stats->prompt_seconds);
  stats->prompt_tokens = static_cast<int64_t>(unread());
  const size_t tile = sequence->device != nullptr ? model::DeviceSequence::kTile : model::kTile;
  while (unread() > tile) {
    RSR_RETURN_IF_ERROR(read_on(tile));
    if (on_text && !on_text("")) return false;
  }
  RSR_RETURN_IF_ERROR(read_last(sampler, {}));
  return true;
}

int64_t Session::Impl::room_for_drafts(const GenerateOptions& options,
                                       const GenerateStats& stats) const {
  if (options.draft == Draft::none) return 0;
  const int64_t room_left = room() - static_cast<int64_t>(unread());
  const int64_t wanted = options.max_tokens - stats.new_tokens - 1;  // the pass itself brings one
  return options.max_tokens == 0 ? room_left : std::min(room_left, wanted);
}

/// A guess that was right is in the cache already, and the state behind it is known.
Result<int32_t> Session::Impl::next_token(const GenerateOptions& options, engine::Sampler* sampler,
                                          GenerateStats* stats) {
  const Stopwatch watch(&stats->decode_seconds);
  if (unread() > 0 && drafts.confirm(history.ids.back())) {
    ++sequence->length;
  } else if (unread() > 0) {
    RSR_RETURN_IF_ERROR(
        read_last(*sampler, drafts.guess(history.ids, room_for_drafts(options, *stats))));
    ++stats->decode_steps;
  }
  ++stats->new_tokens;
  return head.sample(head_model(), drafts.confirmed(), *sampler);
}

Status Session::Impl::answer(const GenerateOptions& options, engine::Sampler* sampler,
                             engine::Reply* reply, GenerateStats* stats) {
  const std::vector<int32_t>& ends = engine->generation.stop_ids;
  while (true) {
    RSR_ASSIGN_OR_RETURN(const int32_t id, next_token(options, sampler, stats));
    stats->finish = FinishReason::stop;
    if (!options.ignore_eos && std::binary_search(ends.begin(), ends.end(), id)) break;
    history.ids.push_back(id);
    if (!reply->push(engine->tokenizer.token_bytes(id, true))) {
      stats->finish = FinishReason::cancelled;
      return {};
    }
    if (reply->stopped()) return {};
    if (stats->new_tokens == options.max_tokens || room() == 0) {
      stats->finish = FinishReason::length;
      break;
    }
  }
  reply->finish();
  return {};
}

}  // namespace rsr
