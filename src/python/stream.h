// An answer that is generated while Python does something else, or waits and can be interrupted.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>

#include "python/own_process.h"
#include "rsr/engine.h"

namespace rsr::python {

/// A conversation, which one answer at a time may use.
class SharedSession {
 public:
  explicit SharedSession(Session session) : session_(std::move(session)) {}

  /// The session for one caller, until the claim ends. Errors: another has it.
  class Claim {
   public:
    explicit Claim(std::shared_ptr<SharedSession> owner);
    Claim(Claim&&) noexcept = default;
    Claim& operator=(Claim&&) = delete;
    ~Claim();
    Session& session() const { return owner_->session_.get("the model"); }

   private:
    std::shared_ptr<SharedSession> owner_;
  };

 private:
  OwnProcess<Session> session_;
  std::atomic<bool> claimed_ = false;
};

/// One generation, on a thread of its own that never needs the interpreter's lock. It ends with the
/// object.
class Stream {
 public:
  Stream(const std::shared_ptr<SharedSession>& session, std::string prompt,
         GenerateOptions options);

  /// The next piece of text, waited for up to `seconds`; empty when none came, and nothing once the
  /// generation has ended and all pieces were given.
  std::optional<std::string> next(double seconds);

  /// Ends the generation where it is, and waits for that.
  void close();

  /// After the end: what it did, or the error of the library.
  GenerateStats stats() const;

 private:
  struct Shared {
    std::mutex mutex;
    std::condition_variable changed;
    std::deque<std::string> pieces;  // that were not given yet
    std::optional<Result<GenerateStats>> result;
  };
  static void generate(Shared& shared, const std::stop_token& stop, SharedSession::Claim claim,
                       const std::string& prompt, const GenerateOptions& options);

  std::shared_ptr<Shared> shared_ = std::make_shared<Shared>();
  std::optional<OwnProcess<std::jthread>> thread_;
};

}  // namespace rsr::python
