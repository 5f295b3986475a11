// Character classes and case mappings, as the components of tokenizers and templates define them.
#pragma once

#include <string>
#include <string_view>

namespace rsr::text {

/// The property White_Space: `\s` of the usual regex engines.
bool is_white_space(char32_t c);
/// General categories Nd, Nl and No.
bool is_numeric(char32_t c);
/// ASCII punctuation and the general categories P*.
bool is_punctuation(char32_t c);
/// `\w` of UTS #18: Alphabetic, marks, decimal digits, connector punctuation, join controls.
bool is_word(char32_t c);

/// Lower case of every character by itself, without context.
std::string to_lower(std::string_view text);

}  // namespace rsr::text
