// Errors of the library as Python exceptions.
#pragma once

#include <exception>
#include <string>
#include <utility>

#include "rsr/status.h"

namespace rsr::python {

/// A Status on its way to Python, where rsr.errors makes an exception of its code and words.
class StatusError : public std::exception {
 public:
  explicit StatusError(Status status) : status_(std::move(status)) {}
  const Status& status() const { return status_; }
  const char* what() const noexcept override { return status_.message().c_str(); }

 private:
  Status status_;
};

inline void check(const Status& status) {
  if (!status.ok()) throw StatusError(status);
}

template <class T>
T value_of(Result<T> result) {
  check(result.status());
  return std::move(result).value();
}

}  // namespace rsr::python
