#include "text/pattern.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "text/utf8.h"

namespace rsr::text {
namespace {

/// Appends `span` as a piece of its own, or lengthens the last piece to its end.
void grow_or_add(const Span& span, bool grow, std::vector<ByteRange>* pieces) {
  if (grow && !pieces->empty()) {
    pieces->back().end = span.range.end;
  } else {
    pieces->push_back(span.range);
  }
}

std::vector<ByteRange> merge_with_next(const std::vector<Span>& spans) {
  std::vector<ByteRange> pieces;
  bool previous_match = false;
  for (size_t i = spans.size(); i-- > 0;) {
    if (spans[i].match && !previous_match && !pieces.empty()) {
      pieces.back().begin = spans[i].range.begin;
    } else {
      pieces.push_back(spans[i].range);
    }
    previous_match = spans[i].match;
  }
  std::reverse(pieces.begin(), pieces.end());
  return pieces;
}

}  // namespace

Result<Pattern> Pattern::parse(const base::Json& json, RegexCache* regexes) {
  if (json.is_object() && json.size() == 1 && json.begin()->is_string()) {
    const auto& value = json.begin()->get_ref<const std::string&>();
    if (json.begin().key() == "Regex") return regex(value, regexes);
    if (json.begin().key() == "String" && !value.empty()) {
      Pattern pattern;
      pattern.literal_ = value;
      return pattern;
    }
  }
  return base::error(ErrorCode::unsupported, "pattern ", json.dump().substr(0, 80),
                     ", expected {\"Regex\": ...} or {\"String\": ...}");
}

Result<Pattern> Pattern::regex(std::string_view expression, RegexCache* regexes) {
  Pattern pattern;
  RSR_ASSIGN_OR_RETURN(pattern.regex_, regexes->get(expression));
  return pattern;
}

Result<std::vector<ByteRange>> Pattern::find_all(std::string_view text) const {
  if (regex_) return regex_->find_all(text);
  std::vector<ByteRange> matches;
  for (size_t at = text.find(literal_); at != std::string_view::npos;
       at = text.find(literal_, at + literal_.size())) {
    matches.push_back({at, at + literal_.size()});
  }
  return matches;
}

std::vector<Span> cover(size_t text_size, const std::vector<ByteRange>& matches) {
  std::vector<Span> spans;
  spans.reserve(2 * matches.size() + 1);
  size_t done = 0;
  for (const ByteRange& match : matches) {
    if (match.begin != done) spans.push_back({{done, match.begin}, false});
    spans.push_back({match, true});
    done = match.end;
  }
  if (done != text_size) spans.push_back({{done, text_size}, false});
  return spans;
}

std::vector<Span> cover_chars(std::string_view text,
                              const std::function<bool(char32_t)>& is_match) {
  std::vector<ByteRange> matches;
  for (size_t at = 0; at < text.size();) {
    const Utf8Char c = decode_utf8(text, at);
    if (is_match(c.code_point)) matches.push_back({at, at + c.length});
    at += c.length;
  }
  return cover(text.size(), matches);
}

Result<SplitBehavior> parse_split_behavior(const std::string& name) {
  constexpr std::pair<const char*, SplitBehavior> kNames[] = {
      {"Isolated", SplitBehavior::isolated},
      {"Removed", SplitBehavior::removed},
      {"MergedWithPrevious", SplitBehavior::merged_with_previous},
      {"MergedWithNext", SplitBehavior::merged_with_next},
      {"Contiguous", SplitBehavior::contiguous},
  };
  for (const auto& [known, behavior] : kNames) {
    if (name == known) return behavior;
  }
  return base::error(ErrorCode::unsupported, "unknown split behavior \"", name, "\"");
}

std::vector<ByteRange> cut(const std::vector<Span>& spans, SplitBehavior behavior) {
  std::vector<ByteRange> pieces;
  bool previous_match = false;
  if (behavior == SplitBehavior::merged_with_next) pieces = merge_with_next(spans);
  for (const Span& span : spans) {
    if (behavior == SplitBehavior::isolated ||
        (behavior == SplitBehavior::removed && !span.match)) {
      pieces.push_back(span.range);
    } else if (behavior == SplitBehavior::contiguous) {
      grow_or_add(span, span.match == previous_match, &pieces);
    } else if (behavior == SplitBehavior::merged_with_previous) {
      grow_or_add(span, span.match && !previous_match, &pieces);
    }
    previous_match = span.match;
  }
  std::erase_if(pieces, [](const ByteRange& piece) { return piece.size() == 0; });
  return pieces;
}

}  // namespace rsr::text
