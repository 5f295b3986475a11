// Errors as values: every call that can meet bad input returns a Status or a Result<T>.
//
// The library throws nothing and prints nothing. Messages name the argument or file, the place in
// it, and what was found there.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace rsr {

enum class ErrorCode {
  ok = 0,
  invalid_argument,  ///< the caller's argument is wrong: a value, a length, a flag
  not_found,         ///< a file, tensor or name that should be there is not
  corrupt_data,      ///< a file contradicts itself or its format
  unsupported,       ///< well-formed, but not something this engine understands
  limit_exceeded,    ///< a stated limit (context length, size) was passed
  io_error,          ///< the operating system refused; the message has its words
  cancelled,         ///< the caller's callback ended the work
};

class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(ErrorCode code, std::string message) : code_(code), message_(std::move(message)) {}

  static Status ok_status() { return {}; }

  bool ok() const { return code_ == ErrorCode::ok; }
  ErrorCode code() const { return code_; }
  const std::string& message() const { return message_; }

  /// The same error with `context` and ": " in front of its message; ok stays ok.
  Status with_context(std::string_view context) const;

 private:
  ErrorCode code_ = ErrorCode::ok;
  std::string message_;
};

namespace detail {
[[noreturn]] void die_on_bad_access(const Status& status);
}  // namespace detail

/// Either a T or the error that prevented it.
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : content_(std::move(value)) {}         // NOLINT(google-explicit-constructor)
  Result(Status status) : content_(std::move(status)) {}  // NOLINT(google-explicit-constructor)

  bool ok() const { return std::holds_alternative<T>(content_); }
  Status status() const { return ok() ? Status() : std::get<Status>(content_); }

  /// The value. On an error the program ends with the message: call it where an error is a bug,
  /// and test ok() everywhere else.
  T& value() & {
    check();
    return std::get<T>(content_);
  }
  const T& value() const& {
    check();
    return std::get<T>(content_);
  }
  T value() && {
    check();
    return std::get<T>(std::move(content_));
  }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }

 private:
  void check() const {
    if (!ok()) detail::die_on_bad_access(std::get<Status>(content_));
  }
  std::variant<T, Status> content_;
};

}  // namespace rsr
