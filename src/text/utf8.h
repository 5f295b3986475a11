// UTF-8: decoding, checking, and replacing what is invalid.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace rsr::text {

enum class Utf8State {
  valid,      ///< a whole character
  invalid,    ///< bytes that cannot begin or continue a character here
  incomplete  ///< the text ends inside what may become a character
};

/// One character, or the bytes that stand for one U+FFFD: the "maximal subpart" of Unicode 3.9,
/// the same cut that the WHATWG decoder and Rust's from_utf8_lossy make.
struct Utf8Char {
  char32_t code_point = 0;
  size_t length = 0;  ///< bytes taken, at least 1
  Utf8State state = Utf8State::invalid;
};

/// Reads the character that begins at byte `at`, which must be inside the text.
Utf8Char decode_utf8(std::string_view text, size_t at);

/// Offset of the first byte that does not belong to a whole character; nothing when all do.
std::optional<size_t> find_invalid_utf8(std::string_view text);

/// The text with every invalid or incomplete sequence replaced by U+FFFD.
std::string replace_invalid_utf8(std::string_view text);

void append_utf8(char32_t code_point, std::string* out);

/// The last character of a valid, non-empty text.
Utf8Char last_char(std::string_view text);

}  // namespace rsr::text
