#include "text/regex_guard.h"

#include <algorithm>
#include <cctype>
#include <cstdint>
#include <vector>

#include "base/check.h"

namespace rsr::text {
namespace {

/// Iterations of counted repetitions inside each other, multiplied. Also the cap of the product.
constexpr int64_t kMaxCount = 100'000;

/// A part of the pattern that a repetition may follow.
struct Atom {
  bool looks_around = false;
  int64_t count = 1;  ///< iterations of the repetitions in it
};

/// Walks over a pattern. It needs no full grammar: a misread pattern is refused or let through, and
/// means the same to Oniguruma in any case.
class Guard {
 public:
  explicit Guard(std::string_view pattern) : pattern_(pattern) {}

  Status run() {
    groups_.emplace_back();
    while (at_ < pattern_.size()) RSR_RETURN_IF_ERROR(step());
    return {};
  }

 private:
  Status step() {
    const char c = pattern_[at_++];
    if (c == '(') return open_group();
    if (c == ')') return close_group(), Status();
    if (c == '*' || c == '+') return repeat(1);
    if (c == '{') return read_count();
    if (c == '?') return {};
    end_atom();
    if (c == '[') skip_class();
    if (c != '\\' || at_ == pattern_.size()) return {};
    const char escaped = pattern_[at_++];
    // \p{..}, \x{..}: braces that are no counts.
    const bool named = std::string_view("pPxo").find(escaped) != std::string_view::npos;
    if (named && at_ < pattern_.size() && pattern_[at_] == '{') skip_to('}');
    if (escaped == 'g') return refuse("calls a group");
    // It would be true at each place where a long search is taken up again.
    return escaped == 'G' ? refuse("has the anchor \\G") : Status();
  }

  Status open_group() {
    end_atom();
    groups_.emplace_back();
    if (at_ < pattern_.size() && pattern_[at_] == '*') return refuse("has a callout");
    if (at_ == pattern_.size() || pattern_[at_] != '?') return {};
    const std::string_view kind = pattern_.substr(at_ + 1);
    ++at_;
    Atom& group = groups_.back();
    group.looks_around = kind.starts_with('=') || kind.starts_with('!') || kind.starts_with("<=") ||
                         kind.starts_with("<!");
    for (const char c : kind) {
      if (c == 'x') return refuse("has the flag x");
      if (c != '-' && std::isalpha(static_cast<unsigned char>(c)) == 0) break;
    }
    const bool plain = kind.empty() || std::string_view("#{~(&R").find(kind[0]) == kind.npos;
    return plain ? Status() : refuse("has a comment, a condition or an absent expression");
  }

  void close_group() {
    if (groups_.size() == 1) return;  // Oniguruma says what is wrong with it
    end_atom();
    last_ = groups_.back();
    groups_.pop_back();
  }

  /// The group has what its members have.
  void end_atom() {
    Atom& group = groups_.back();
    group.looks_around = group.looks_around || last_.looks_around;
    group.count = std::max(group.count, last_.count);
    last_ = {};
  }

  Status repeat(int64_t count) {
    if (last_.looks_around) return refuse("repeats a look-around");
    last_.count *= std::max<int64_t>(count, 1);
    return last_.count > kMaxCount ? refuse("repeats too often") : Status();
  }

  /// {n}, {n,}, {,m}, {n,m}: the largest number; anything else in braces is text.
  Status read_count() {
    int64_t largest = 0;
    int64_t number = 0;
    size_t end = at_;
    for (; end < pattern_.size() && pattern_[end] != '}'; ++end) {
      const char c = pattern_[end];
      if (c != ',' && std::isdigit(static_cast<unsigned char>(c)) == 0) return end_atom(), Status();
      number = c == ',' ? 0 : std::min(number * 10 + (c - '0'), kMaxCount + 1);
      largest = std::max(largest, number);
    }
    if (end == pattern_.size()) return {};
    at_ = end + 1;
    return repeat(largest);
  }

  void skip_to(char end) {
    while (at_ < pattern_.size() && pattern_[at_++] != end) {
    }
  }

  /// Behind the bracket that closes a class, in which others may be nested.
  void skip_class() {
    for (int depth = 1; depth > 0 && at_ < pattern_.size();) {
      const char c = pattern_[at_++];
      if (c == '\\') ++at_;
      if (c == '[') ++depth;
      const char before = pattern_[at_ - 2];
      const bool first = before == '[' || (before == '^' && at_ > 2 && pattern_[at_ - 3] == '[');
      if (c == ']' && !first) --depth;
    }
    at_ = std::min(at_, pattern_.size());
  }

  Status refuse(const char* why) const {
    return base::error(ErrorCode::unsupported, "regex \"", pattern_.substr(0, 60), "\" ", why);
  }

  std::string_view pattern_;
  size_t at_ = 0;
  std::vector<Atom> groups_;  ///< open ones; the first is the pattern
  Atom last_;
};

}  // namespace

Status check_pattern(std::string_view pattern) {
  return Guard(pattern).run();
}

}  // namespace rsr::text
