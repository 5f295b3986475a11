// Normalizers: what happens to a text before it is cut into pieces.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/json.h"
#include "rsr/status.h"
#include "text/regex.h"

namespace rsr::text {

class Normalizer {
 public:
  virtual ~Normalizer() = default;
  /// The normal form of valid UTF-8.
  virtual Result<std::string> apply(std::string_view text) const = 0;
};

/// Reads the member "normalizer" of tokenizer.json; null gives one that changes nothing.
Result<std::unique_ptr<Normalizer>> parse_normalizer(const base::Json& json, RegexCache* regexes);

}  // namespace rsr::text
