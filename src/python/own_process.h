// What must not be touched in a process that was forked: threads do not exist there.
#pragma once

#include <unistd.h>

#include <memory>
#include <utility>

#include "python/errors.h"

namespace rsr::python {

/// A value with threads of its own, for the process that made it. In another one it can neither be
/// used, which is an error, nor be destroyed, which would wait for ever: there it is leaked.
template <class T>
class OwnProcess {
 public:
  explicit OwnProcess(T value)
      : value_(std::make_unique<T>(std::move(value))), process_(::getpid()) {}
  OwnProcess(OwnProcess&&) noexcept = default;
  OwnProcess& operator=(OwnProcess&&) = delete;
  ~OwnProcess() {
    if (!is_here()) static_cast<void>(value_.release());
  }

  bool is_here() const { return process_ == ::getpid(); }

  /// `what` names it in the error.
  T& get(const char* what) const {
    if (is_here()) return *value_;
    throw StatusError({ErrorCode::invalid_argument,
                       std::string(what) +
                           " belongs to the process that this one was forked from; make one here"});
  }

 private:
  std::unique_ptr<T> value_;
  pid_t process_;
};

}  // namespace rsr::python
