// Checks of contracts inside the house. A failed one is a bug of ours, never of the user's input.
#pragma once

#include <sstream>
#include <string>

#include "rsr/status.h"

namespace rsr::base {

[[noreturn]] void check_failed(const char* file, int line, const char* expression,
                               const std::string& values);

template <class A, class B>
std::string both_sides(const A& a, const B& b) {
  std::ostringstream out;
  out << a << " against " << b;
  return out.str();
}

/// An error whose message is the arguments written one after the other.
template <class... Args>
Status error(ErrorCode code, const Args&... args) {
  std::ostringstream out;
  (out << ... << args);
  return {code, out.str()};
}

}  // namespace rsr::base

#define RSR_CHECK(expression) \
  ((expression) ? void() : ::rsr::base::check_failed(__FILE__, __LINE__, #expression, ""))

// RSR_CHECK_OP(a, <=, b) prints both values when it fails.
// NOLINTBEGIN(bugprone-macro-parentheses): an operator and a declaration cannot be parenthesised.
#define RSR_CHECK_OP(a, op, b)                                                   \
  (((a)op(b)) ? void()                                                           \
              : ::rsr::base::check_failed(__FILE__, __LINE__, #a " " #op " " #b, \
                                          ::rsr::base::both_sides((a), (b))))

// Leaves the enclosing function with the error of a failed Status.
#define RSR_RETURN_IF_ERROR(expression)                                                  \
  do {                                                                                   \
    if (::rsr::Status rsr_status_ = (expression); !rsr_status_.ok()) return rsr_status_; \
  } while (false)

#define RSR_CONCAT_INNER(a, b) a##b
#define RSR_CONCAT(a, b) RSR_CONCAT_INNER(a, b)

// RSR_ASSIGN_OR_RETURN(auto x, f()): x is f()'s value, or the function returns f()'s error.
#define RSR_ASSIGN_OR_RETURN(lhs, expression) \
  RSR_ASSIGN_OR_RETURN_IMPL(RSR_CONCAT(rsr_result_, __LINE__), lhs, expression)
#define RSR_ASSIGN_OR_RETURN_IMPL(result, lhs, expression) \
  auto result = (expression);                              \
  if (!result.ok()) return result.status();                \
  lhs = std::move(result).value()
// NOLINTEND(bugprone-macro-parentheses)
