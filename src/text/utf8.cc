#include "text/utf8.h"

#include "text/tokenizer.h"

namespace rsr::text {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

/// What a lead byte promises: the length of the character, and the range of its second byte, which
/// is where overlong forms, surrogates and values above U+10FFFF show.
struct Lead {
  size_t length = 0;  ///< 0: not a lead byte
  unsigned char low = 0x80;
  unsigned char high = 0xBF;
  unsigned char bits = 0;  ///< payload mask
};

Lead lead_of(unsigned char byte) {
  if (byte < 0x80) return {.length = 1, .bits = 0x7F};
  if (byte < 0xC2) return {};
  if (byte < 0xE0) return {.length = 2, .bits = 0x1F};
  if (byte == 0xE0) return {.length = 3, .low = 0xA0, .bits = 0x0F};
  if (byte == 0xED) return {.length = 3, .high = 0x9F, .bits = 0x0F};
  if (byte < 0xF0) return {.length = 3, .bits = 0x0F};
  if (byte == 0xF0) return {.length = 4, .low = 0x90, .bits = 0x07};
  if (byte < 0xF4) return {.length = 4, .bits = 0x07};
  if (byte == 0xF4) return {.length = 4, .high = 0x8F, .bits = 0x07};
  return {};
}

}  // namespace

Utf8Char decode_utf8(std::string_view text, size_t at) {
  const auto first = static_cast<unsigned char>(text[at]);
  const Lead lead = lead_of(first);
  if (lead.length == 0) return {.length = 1};
  char32_t code_point = first & lead.bits;
  for (size_t i = 1; i < lead.length; ++i) {
    if (at + i == text.size()) return {.length = i, .state = Utf8State::incomplete};
    const auto byte = static_cast<unsigned char>(text[at + i]);
    const unsigned char low = i == 1 ? lead.low : 0x80;
    const unsigned char high = i == 1 ? lead.high : 0xBF;
    if (byte < low || byte > high) return {.length = i};
    code_point = code_point << 6 | (byte & 0x3FU);
  }
  return {code_point, lead.length, Utf8State::valid};
}

std::optional<size_t> find_invalid_utf8(std::string_view text) {
  for (size_t at = 0; at < text.size();) {
    if (static_cast<unsigned char>(text[at]) < 0x80) {
      ++at;
      continue;
    }
    const Utf8Char c = decode_utf8(text, at);
    if (c.state != Utf8State::valid) return at;
    at += c.length;
  }
  return std::nullopt;
}

std::string replace_invalid_utf8(std::string_view text) {
  Utf8Stream stream;
  std::string out = stream.push(text);
  return out += stream.finish();
}

void append_utf8(char32_t c, std::string* out) {
  const auto put = [out](char32_t byte) { out->push_back(static_cast<char>(byte)); };
  if (c < 0x80) {
    put(c);
  } else if (c < 0x800) {
    put(0xC0 | c >> 6);
    put(0x80 | (c & 0x3F));
  } else if (c < 0x10000) {
    put(0xE0 | c >> 12);
    put(0x80 | (c >> 6 & 0x3F));
    put(0x80 | (c & 0x3F));
  } else {
    put(0xF0 | c >> 18);
    put(0x80 | (c >> 12 & 0x3F));
    put(0x80 | (c >> 6 & 0x3F));
    put(0x80 | (c & 0x3F));
  }
}

Utf8Char last_char(std::string_view text) {
  size_t at = text.size() - 1;
  while (at > 0 && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80) --at;
  return decode_utf8(text, at);
}

std::string Utf8Stream::push(std::string_view bytes) {
  pending_.append(bytes);
  std::string out;
  size_t at = 0;
  while (at < pending_.size()) {
    const Utf8Char c = decode_utf8(pending_, at);
    if (c.state == Utf8State::incomplete) break;
    if (c.state == Utf8State::valid) {
      out.append(pending_, at, c.length);
    } else {
      out.append(kReplacement);
    }
    at += c.length;
  }
  pending_.erase(0, at);
  return out;
}

std::string Utf8Stream::finish() {
  // What is pending is one maximal subpart, so it is one replacement character.
  std::string out(pending_.empty() ? std::string_view() : kReplacement);
  pending_.clear();
  return out;
}

}  // namespace rsr::text
