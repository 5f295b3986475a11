// Patterns of tokenizer.json, and the ways to cut a text at their matches.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "rsr/status.h"
#include "text/byte_range.h"
#include "text/regex.h"

namespace rsr::text {

/// {"String": literal} or {"Regex": expression}.
class Pattern {
 public:
  static Result<Pattern> parse(const base::Json& json, RegexCache* regexes);
  static Result<Pattern> regex(std::string_view expression, RegexCache* regexes);
  Result<std::vector<ByteRange>> find_all(std::string_view text) const;

 private:
  std::string literal_;
  std::optional<Regex> regex_;
};

/// A part of a text that is a match, or lies between two.
struct Span {
  ByteRange range;
  bool match = false;
};

/// Matches and what lies between them, in order; together they cover the text.
std::vector<Span> cover(size_t text_size, const std::vector<ByteRange>& matches);

/// As above, where every character for which `is_match` holds is a match of its own.
std::vector<Span> cover_chars(std::string_view text, const std::function<bool(char32_t)>& is_match);

/// What becomes of the matches when a text is cut at them.
enum class SplitBehavior {
  isolated,              ///< matches and gaps are pieces
  removed,               ///< only gaps are pieces
  merged_with_previous,  ///< a match belongs to the gap before it
  merged_with_next,      ///< a match belongs to the gap after it
  contiguous             ///< adjacent matches are one piece
};
Result<SplitBehavior> parse_split_behavior(const std::string& name);

/// The pieces of a text, without empty ones.
std::vector<ByteRange> cut(const std::vector<Span>& spans, SplitBehavior behavior);

}  // namespace rsr::text
