// An answer that is generated while Python does something else, or waits and can be interrupted.
#pragma once

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
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

/// One generation, on a thread of its own that never needs the interpreter's lock.
class Stream {
 public:
  Stream(const std::shared_ptr<SharedSession>& session, std::string prompt,
         GenerateOptions options);
  ~Stream() { close(); }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  /// The text since the last call, waited for up to `seconds`; empty when there is none, and
  /// nothing once the generation has ended and all text was given.
  std::optional<std::string> next(double seconds);

  /// Ends the generation where it is, and waits for that.
  void close();

  /// After the end: what it did, or the error of the library.
  GenerateStats stats() const;

 private:
  struct Shared {
    std::mutex mutex;
    std::condition_variable changed;
    std::string text;
    std::optional<Result<GenerateStats>> result;
    std::atomic<bool> cancelled = false;
  };
  static void generate(Shared& shared, SharedSession::Claim claim, const std::string& prompt,
                       const GenerateOptions& options);

  std::shared_ptr<Shared> shared_ = std::make_shared<Shared>();
  std::thread thread_;
  pid_t process_;
};

}  // namespace rsr::python
