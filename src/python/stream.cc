#include "python/stream.h"

#include <chrono>
#include <exception>
#include <utility>

namespace rsr::python {

SharedSession::Claim::Claim(std::shared_ptr<SharedSession> owner) : owner_(std::move(owner)) {
  if (!owner_->claimed_.exchange(true)) return;
  owner_.reset();
  throw StatusError({ErrorCode::invalid_argument,
                     "the session is busy with another answer: read that to its end or close it"});
}

SharedSession::Claim::~Claim() {
  if (owner_ != nullptr) owner_->claimed_ = false;
}

Stream::Stream(const std::shared_ptr<SharedSession>& session, std::string prompt,
               GenerateOptions options) {
  SharedSession::Claim claim(session);
  static_cast<void>(claim.session());  // an error of this thread, not of the other
  thread_.emplace(
      std::jthread([shared = shared_, claim = std::move(claim), prompt = std::move(prompt),
                    options = std::move(options)](const std::stop_token& stop) mutable {
        generate(*shared, stop, std::move(claim), prompt, options);
      }));
}

void Stream::generate(Shared& shared, const std::stop_token& stop, SharedSession::Claim claim,
                      const std::string& prompt, const GenerateOptions& options) {
  Result<GenerateStats> result = Status(ErrorCode::io_error, "the generation did not begin");
  try {
    result = claim.session().generate(prompt, options, [&](std::string_view piece) {
      if (!piece.empty()) {
        const std::lock_guard lock(shared.mutex);
        shared.pieces.emplace_back(piece);
        shared.changed.notify_all();
      }
      return !stop.stop_requested();
    });
  } catch (const std::exception& error) {
    result = Status(ErrorCode::limit_exceeded, error.what());
  }
  // Whoever sees the result may use the session again.
  { const SharedSession::Claim done = std::move(claim); }
  const std::lock_guard lock(shared.mutex);
  shared.result = std::move(result);
  shared.changed.notify_all();
}

std::optional<std::string> Stream::next(double seconds) {
  static_cast<void>(thread_->get("the answer"));  // whose lock a forked process may have for ever
  std::unique_lock lock(shared_->mutex);
  shared_->changed.wait_for(lock, std::chrono::duration<double>(seconds), [&] {
    return !shared_->pieces.empty() || shared_->result.has_value();
  });
  if (shared_->pieces.empty()) {
    return shared_->result.has_value() ? std::nullopt : std::optional<std::string>("");
  }
  std::string piece = std::move(shared_->pieces.front());
  shared_->pieces.pop_front();
  return piece;
}

void Stream::close() {
  if (!thread_.has_value() || !thread_->is_here()) return;
  std::jthread& thread = thread_->get("the answer");
  thread.request_stop();
  if (thread.joinable()) thread.join();
}

GenerateStats Stream::stats() const {
  static_cast<void>(thread_->get("the answer"));
  const std::lock_guard lock(shared_->mutex);
  return value_of(shared_->result.value());
}

}  // namespace rsr::python
