// Pre-tokenizers: how a text is cut into the pieces that BPE sees one by one.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/json.h"
#include "rsr/status.h"
#include "text/regex.h"

namespace rsr::text {

class PreTokenizer {
 public:
  virtual ~PreTokenizer() = default;
  /// Replaces every piece by the pieces that it is cut into; none of them is empty.
  virtual Status apply(std::vector<std::string>* pieces) const = 0;
};

/// Reads the member "pre_tokenizer" of tokenizer.json; null gives one that cuts nothing. Its
/// expressions come from `regexes`, which is needed here only.
Result<std::unique_ptr<PreTokenizer>> parse_pre_tokenizer(const base::Json& json,
                                                          RegexCache* regexes);

}  // namespace rsr::text
