// The Jinja filters that chat templates use, with the meaning that Python gives them.
#pragma once

#include <string>
#include <string_view>

namespace rsr::text {

/// `| trim`: without the white space of Python's str.strip at both ends. `text` is valid UTF-8.
std::string_view jinja_trim(std::string_view text);

/// `| capitalize`: first character in title case, all others in lower case, by the simple case
/// mappings of Unicode.
std::string jinja_capitalize(std::string_view text);

}  // namespace rsr::text
