// Regular expressions through Oniguruma, the engine that the authors of tokenizer.json files used.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "rsr/status.h"
#include "text/byte_range.h"

namespace rsr::text {

/// When find_all gives up by the clock: far beyond what a text needs, so that no busy machine comes
/// near it, and still seconds.
struct SearchTime {
  std::chrono::nanoseconds base = std::chrono::seconds(5);
  std::chrono::nanoseconds per_byte = std::chrono::microseconds(5);

  std::chrono::nanoseconds of(size_t text_size) const {
    return base + per_byte * static_cast<int64_t>(text_size);
  }
};

/// A compiled expression; copies share it. It does not change any more: what a search writes lies
/// in the search.
class Regex {
 public:
  /// Oniguruma syntax over UTF-8.
  static Result<Regex> compile(std::string_view pattern);

  /// All matches from left to right, without overlaps; an empty one right after another match is
  /// left out. `text` must be valid UTF-8. A search that costs far more than the text is long is
  /// ended with limit_exceeded: patterns come from files that are not trusted. Thread-safe.
  Result<std::vector<ByteRange>> find_all(std::string_view text, const SearchTime& time = {}) const;

 private:
  struct Impl;
  explicit Regex(std::shared_ptr<const Impl> impl);
  std::shared_ptr<const Impl> impl_;
};

/// Compiles each pattern once. That of GPT-2 takes 28 KB, and 21 bytes of a file ask for it: ten
/// thousand times {"type":"ByteLevel"} took 270 MB and 0.55 s, and take 4 MB and 4 ms. One for the
/// components of a tokenizer; not thread-safe.
///
/// A byte of a pattern may take 3 KB when it is compiled, and a file has room for millions of
/// different ones: together they may be as long as one may be alone (64 KiB), else limit_exceeded.
/// That of Llama 3 has 115 bytes.
class RegexCache {
 public:
  Result<Regex> get(std::string_view pattern);
  size_t compiled() const { return compiled_; }  ///< how often a pattern was

 private:
  std::map<std::string, Regex, std::less<>> regexes_;
  size_t compiled_ = 0;
  size_t bytes_ = 0;  // of all that are kept
};

}  // namespace rsr::text
