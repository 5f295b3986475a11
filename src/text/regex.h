// Regular expressions through Oniguruma, the engine that the authors of tokenizer.json files used.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "rsr/status.h"
#include "text/byte_range.h"

namespace rsr::text {

class Regex {
 public:
  /// Oniguruma syntax over UTF-8.
  static Result<Regex> compile(std::string_view pattern);
  Regex(Regex&&) noexcept;
  Regex& operator=(Regex&&) noexcept;
  ~Regex();

  /// All matches from left to right, without overlaps; an empty one right after another match is
  /// left out. `text` must be valid UTF-8. A search that costs far more than the text is long is
  /// ended with limit_exceeded: patterns come from files that are not trusted. Thread-safe.
  Result<std::vector<ByteRange>> find_all(std::string_view text) const;

 private:
  struct Impl;
  explicit Regex(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace rsr::text
