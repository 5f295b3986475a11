#include <algorithm>
#include <new>
#include <utility>

#include "base/check.h"
#include "engine/prompt.h"
#include "engine/sampling.h"
#include "engine/session_impl.h"
#include "model/kv_cache.h"

namespace rsr {
namespace {

using base::error;
using engine::History;
using Ids = std::vector<int32_t>;

size_t common_prefix(const Ids& a, const Ids& b) {
  return static_cast<size_t>(std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first -
                             a.begin());
}

}  // namespace

/// Gives a session a new history of which the cache holds `kept` tokens, and the old one back
/// unless keep() is called. Nothing is copied into the cache: then it holds what both have in
/// common.
class Session::Impl::Undo {
 public:
  Undo(Impl* session, History next, int64_t kept) : session_(session), kept_(kept) {
    session_->sequence->length = kept;
    before_ = std::exchange(session_->history, std::move(next));
  }
  Undo(const Undo&) = delete;
  Undo& operator=(const Undo&) = delete;
  ~Undo() {
    if (session_ == nullptr) return;
    const auto common = static_cast<int64_t>(common_prefix(before_.ids, session_->history.ids));
    session_->sequence->length = std::min(kept_, common);
    session_->history = std::move(before_);
  }
  void keep() { session_ = nullptr; }

 private:
  Impl* session_;
  int64_t kept_;
  History before_;
};

Result<History> Session::Impl::after_prompt(std::string_view prompt, bool raw) const {
  if (raw) return after_raw_prompt(prompt);
  RSR_RETURN_IF_ERROR(engine->chat_error);
  return engine->chat ? after_turn(prompt) : after_raw_prompt(prompt);
}

Result<History> Session::Impl::after_raw_prompt(std::string_view prompt) const {
  const engine::Place place = history.ids.empty() ? engine::Place::begin : engine::Place::later;
  RSR_ASSIGN_OR_RETURN(const Ids ids, engine::raw_prompt(engine->tokenizer, prompt, place));
  History next;
  next.ids = history.ids;
  next.ids.insert(next.ids.end(), ids.begin(), ids.end());
  return next;
}

Result<History> Session::Impl::after_turn(std::string_view prompt) const {
  History next;
  next.messages = history.messages;
  next.messages.push_back({"user", std::string(prompt)});
  next.conversation_begin =
      history.messages.empty() ? history.ids.size() : history.conversation_begin;
  std::vector<text::Message> conversation;
  if (!system.empty()) conversation.push_back({"system", system});
  conversation.insert(conversation.end(), next.messages.begin(), next.messages.end());
  const auto begin = static_cast<ptrdiff_t>(next.conversation_begin);
  const engine::Place place = begin == 0 ? engine::Place::begin : engine::Place::later;
  RSR_ASSIGN_OR_RETURN(Ids ids,
                       engine::chat_prompt(engine->tokenizer, *engine->chat, conversation, place));
  const bool has_bos = !ids.empty() && ids.front() == engine->model.config.bos_token_id;
  // Behind raw text the context has begun already, whatever the template writes.
  if (begin > 0 && has_bos) ids.erase(ids.begin());
  next.ids.assign(history.ids.begin(), history.ids.begin() + begin);
  next.ids.insert(next.ids.end(), ids.begin(), ids.end());
  return next;
}

Result<int64_t> Session::Impl::tokens_kept(const Ids& ids) const {
  if (ids.empty()) return error(ErrorCode::invalid_argument, "the prompt is empty");
  const auto count = static_cast<int64_t>(ids.size());
  const auto common = static_cast<int64_t>(common_prefix(history.ids, ids));
  const auto loaded = static_cast<int64_t>(common_prefix(held, ids));
  // The logits of the last token are needed, and they are not in the cache.
  const int64_t kept = std::min(std::max(std::min(common, sequence->length), loaded), count - 1);
  if (count > engine->context_length) {
    return error(ErrorCode::limit_exceeded, "the prompt does not fit: ", count - kept,
                 " tokens to read, room for ", engine->context_length - kept, " in a context of ",
                 engine->context_length);
  }
  return kept;
}

Status Session::Impl::reserve() {
  if (sequence) return {};
  RSR_ASSIGN_OR_RETURN(
      model::KvCache cache,
      model::KvCache::create(engine->model.config, engine->context_length, engine->kv_type));
  std::unique_ptr<model::DeviceSequence> device;
  if (engine->device != nullptr) {
    RSR_ASSIGN_OR_RETURN(
        device, model::DeviceSequence::create(engine->device, engine->model, engine->context_length,
                                              engine->kv_type));
  }
  sequence.emplace(std::move(cache)).device = std::move(device);
  return {};
}

Result<GenerateStats> Session::Impl::generate(std::string_view prompt,
                                              const GenerateOptions& options,
                                              const TextCallback& on_text) {
  RSR_RETURN_IF_ERROR(engine::check_options(options, engine->tokenizer.vocab_size()));
  RSR_RETURN_IF_ERROR(reserve());
  RSR_ASSIGN_OR_RETURN(History next, after_prompt(prompt, options.raw));
  RSR_ASSIGN_OR_RETURN(const int64_t kept, tokens_kept(next.ids));
  Ids known(next.ids.begin(), next.ids.begin() + kept);
  known.reserve(next.ids.size());
  held.swap(known);  // the others are written over
  Undo undo(this, std::move(next), kept);
  GenerateStats stats;
  stats.cached_tokens = kept;
  engine::Sampler sampler(engine::choose_sampling(options, engine->generation), history.ids);
  head.restart();
  drafts = {};
  const Result<bool> read_all = read_prompt(sampler, on_text, &stats);
  held.assign(history.ids.begin(), history.ids.begin() + sequence->length);
  RSR_RETURN_IF_ERROR(read_all.status());
  if (!*read_all) {
    stats.finish = FinishReason::cancelled;
    return stats;
  }
  const int64_t first = sequence->length;
  engine::Reply reply(options.stop, on_text);
  RSR_RETURN_IF_ERROR(answer(options, &sampler, &reply, &stats));
  if (!history.messages.empty()) history.messages.push_back({"assistant", reply.text()});
  undo.keep();
  count_answer(first, &stats);
  return stats;
}

void Session::Impl::count_answer(int64_t first, GenerateStats* stats) const {
  const model::Model& model = engine->model;
  stats->drafted_tokens = drafts.all_guessed();
  stats->accepted_tokens = drafts.all_confirmed();
  stats->head_candidates = head.mean_candidates();
  const double mean_length = static_cast<double>(first + sequence->length) / 2;
  const int64_t layers = engine->device != nullptr ? engine->device->layer_bytes()
                                                   : model.weight_bytes() - model.head.bytes();
  const double of_pass = static_cast<double>(layers) + head.mean_bytes(model) +
                         mean_length * static_cast<double>(model::KvCache::bytes_per_position(
                                           model.config, engine->kv_type));
  stats->bytes_per_token = of_pass;
  if (stats->decode_steps == 0) return;
  stats->bytes_per_token *=
      static_cast<double>(stats->decode_steps) / static_cast<double>(stats->new_tokens - 1);
}

Status Session::Impl::set_system(std::string_view text) {
  if (!text.empty()) {
    RSR_RETURN_IF_ERROR(engine->chat_error);
    if (!engine->chat) {
      return error(ErrorCode::unsupported,
                   "the model has no chat template, and so no place for a system message");
    }
    const std::vector<text::Message> trial = {{"system", std::string(text)}, {"user", "x"}};
    RSR_RETURN_IF_ERROR(
        engine->chat->render(trial, true).status().with_context("the system message"));
  }
  system = text;
  return {};
}

void Session::Impl::reset() {
  history = {};
  if (sequence) sequence->length = 0;
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

Status Session::set_system(std::string_view text) {
  try {
    return impl_->set_system(text);
  } catch (const std::bad_alloc&) {
    return error(ErrorCode::limit_exceeded, "out of memory");
  }
}

void Session::reset() {
  impl_->reset();
}

std::vector<int32_t> Session::tokens() const {
  return impl_->tokens();
}

}  // namespace rsr
