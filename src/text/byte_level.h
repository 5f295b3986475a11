// The byte-level alphabet: every byte as one printable character, so that BPE works on text.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace rsr::text {

/// Printable bytes stand for themselves; the other 68, in order, are U+0100 and upwards.
char32_t byte_to_char(unsigned char byte);
std::optional<unsigned char> char_to_byte(char32_t c);

/// Every byte of `bytes` as its character.
std::string to_byte_level(std::string_view bytes);

/// The bytes that a token stands for. A token with a character outside the alphabet stands for its
/// own UTF-8 bytes.
std::string from_byte_level(std::string_view token);

}  // namespace rsr::text
