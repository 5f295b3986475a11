// Matches of any pattern lie inside the text, in order, on borders of characters, and the pieces
// that they cut are the text again.
#include <string>

#include "fuzz.h"
#include "text/pattern.h"
#include "text/regex.h"
#include "text/utf8.h"

namespace {

bool is_border(std::string_view text, size_t at) {
  return at == text.size() || (static_cast<unsigned char>(text[at]) & 0xC0) != 0x80;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto [pattern, bytes] = rsr::fuzz::cut_at_zero(data, size);
  const auto regex = rsr::text::Regex::compile(pattern);
  if (!regex.ok()) return 0;
  const std::string text = rsr::text::replace_invalid_utf8(bytes);
  const auto matches = regex->find_all(text);
  if (!matches.ok()) return 0;
  size_t previous = 0;
  for (const auto& match : *matches) {
    FUZZ_CHECK(previous <= match.begin && match.begin <= match.end && match.end <= text.size());
    FUZZ_CHECK(is_border(text, match.begin) && is_border(text, match.end));
    previous = match.end;
  }
  using rsr::text::SplitBehavior;
  for (const auto behavior : {SplitBehavior::isolated, SplitBehavior::merged_with_previous,
                              SplitBehavior::merged_with_next, SplitBehavior::contiguous}) {
    std::string joined;
    for (const auto& piece : rsr::text::cut(rsr::text::cover(text.size(), *matches), behavior)) {
      joined += text.substr(piece.begin, piece.size());
    }
    FUZZ_CHECK(joined == text);
  }
  return 0;
}
