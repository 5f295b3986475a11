// A text that comes in pieces decodes to the same characters as the whole; the result is valid
// UTF-8, and valid UTF-8 is left as it is.
#include <algorithm>
#include <string>

#include "fuzz.h"
#include "text/tokenizer.h"
#include "text/utf8.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const size_t piece = 1 + data[0] % 16;
  const std::string_view text = rsr::fuzz::as_text(data + 1, size - 1);
  const std::string whole = rsr::text::replace_invalid_utf8(text);
  FUZZ_CHECK(!rsr::text::find_invalid_utf8(whole));
  FUZZ_CHECK(rsr::text::find_invalid_utf8(text) || whole == text);
  rsr::text::Utf8Stream stream;
  std::string pieces;
  for (size_t at = 0; at < text.size(); at += piece) {
    const std::string out = stream.push(text.substr(at, piece));
    FUZZ_CHECK(!rsr::text::find_invalid_utf8(out));
    pieces += out;
  }
  pieces += stream.finish();
  FUZZ_CHECK(pieces == whole);
  if (!whole.empty()) {
    const auto last = rsr::text::last_char(whole);
    FUZZ_CHECK(last.state == rsr::text::Utf8State::valid && last.length <= whole.size());
  }
  return 0;
}
