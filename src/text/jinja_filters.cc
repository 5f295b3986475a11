#include "text/jinja_filters.h"

#include <utf8proc.h>

#include "text/unicode.h"
#include "text/utf8.h"

namespace rsr::text {
namespace {

/// str.isspace: White_Space, and the four separators of ASCII.
bool is_python_space(char32_t c) {
  return is_white_space(c) || (c >= 0x1C && c <= 0x1F);
}

}  // namespace

std::string_view jinja_trim(std::string_view text) {
  while (!text.empty()) {
    const Utf8Char c = decode_utf8(text, 0);
    if (!is_python_space(c.code_point)) break;
    text.remove_prefix(c.length);
  }
  while (!text.empty()) {
    const Utf8Char c = last_char(text);
    if (!is_python_space(c.code_point)) break;
    text.remove_suffix(c.length);
  }
  return text;
}

std::string jinja_capitalize(std::string_view text) {
  if (text.empty()) return {};
  const Utf8Char first = decode_utf8(text, 0);
  std::string out;
  append_utf8(
      static_cast<char32_t>(utf8proc_totitle(static_cast<utf8proc_int32_t>(first.code_point))),
      &out);
  return out += to_lower(text.substr(first.length));
}

}  // namespace rsr::text
