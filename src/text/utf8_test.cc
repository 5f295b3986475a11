#include "text/utf8.h"

#include <gtest/gtest.h>

#include <random>

#include "text/byte_level.h"
#include "text/tokenizer.h"
#include "text/unicode.h"

namespace rsr::text {
namespace {

// U+FFFD as a piece of a literal.
#define FFFD "\xEF\xBF\xBD"

TEST(Utf8, ReplacesMaximalSubparts) {
  const std::pair<std::string, std::string> cases[] = {
      {"", ""},
      {"a\xC3\xA9\xE4\xB8\x96\xF0\x9F\x98\x80", "a\xC3\xA9\xE4\xB8\x96\xF0\x9F\x98\x80"},
      {"\x80", FFFD},
      {"\xC0\x80", FFFD FFFD},                    // overlong
      {"\xE0\x80\x80", FFFD FFFD FFFD},           // overlong
      {"\xED\xA0\x80", FFFD FFFD FFFD},           // surrogate
      {"\xF4\x90\x80\x80", FFFD FFFD FFFD FFFD},  // above U+10FFFF
      {"\xF5x", FFFD "x"},
      {"\xE4\xB8", FFFD},  // begun, not finished
      {"\xE4\xB8x", FFFD "x"},
      {"\xF0\x9F\x98x", FFFD "x"},
      {"\xF0\x9F\xE4\xB8\x96", FFFD "\xE4\xB8\x96"},
      // The example of the Unicode standard, table 3-8.
      {"a\xF1\x80\x80\xE1\x80\xC2"
       "b\x80"
       "c\x80\xBF"
       "d",
       "a" FFFD FFFD FFFD "b" FFFD "c" FFFD FFFD "d"},
  };
  for (const auto& [bytes, text] : cases) EXPECT_EQ(replace_invalid_utf8(bytes), text);
}

TEST(Utf8, FindsTheFirstInvalidByte) {
  EXPECT_EQ(find_invalid_utf8("abc\xC3\xA9"), std::nullopt);
  EXPECT_EQ(find_invalid_utf8("abc\xC3"), 3U);
  EXPECT_EQ(find_invalid_utf8("\xC3\xA9\xFF"), 2U);
}

TEST(Utf8, EveryCodePointSurvives) {
  for (char32_t c = 0; c <= 0x10FFFF; ++c) {
    if (c >= 0xD800 && c <= 0xDFFF) continue;
    std::string text = "x";
    append_utf8(c, &text);
    const Utf8Char read = decode_utf8(text, 1);
    ASSERT_EQ(read.state, Utf8State::valid);
    ASSERT_EQ(read.code_point, c);
    ASSERT_EQ(read.length, text.size() - 1);
    ASSERT_EQ(last_char(text).code_point, c);
  }
}

TEST(Utf8Stream, GivesTheSameHoweverTheBytesAreCut) {
  std::mt19937 random(7);
  const unsigned char bytes[] = {'a',  0x80, 0xBF, 0xC2, 0xE0, 0xA0,
                                 0xED, 0xE4, 0xF0, 0x90, 0xF4, 0xFF};
  for (int round = 0; round < 2000; ++round) {
    std::string text;
    for (int i = 0; i < 12; ++i) text.push_back(static_cast<char>(bytes[random() % sizeof bytes]));
    Utf8Stream stream;
    std::string out;
    for (size_t at = 0; at < text.size();) {
      const size_t size = 1 + random() % 4;
      out += stream.push(text.substr(at, size));
      EXPECT_EQ(find_invalid_utf8(out), std::nullopt);
      at += size;
    }
    EXPECT_EQ(out + stream.finish(), replace_invalid_utf8(text));
  }
}

TEST(Utf8Stream, HoldsBackOnlyAnUnfinishedCharacter) {
  Utf8Stream stream;
  EXPECT_EQ(stream.push("a\xF0\x9F"), "a");
  EXPECT_EQ(stream.push("\x98"), "");
  EXPECT_EQ(stream.push("\x80"
                        "b\xC3"),
            "\xF0\x9F\x98\x80"
            "b");
  EXPECT_EQ(stream.finish(), FFFD);
  EXPECT_EQ(stream.finish(), "");
}

TEST(ByteLevel, IsTheAlphabetOfGpt2AndReversible) {
  EXPECT_EQ(byte_to_char(0x00), 0x100U);
  EXPECT_EQ(byte_to_char(0x0A), 0x10AU);
  EXPECT_EQ(byte_to_char(0x20), 0x120U);
  EXPECT_EQ(byte_to_char(0x7F), 0x121U);
  EXPECT_EQ(byte_to_char(0xAD), 0x143U);
  EXPECT_EQ(byte_to_char('A'), U'A');
  std::string all;
  for (int byte = 0; byte < 256; ++byte) all.push_back(static_cast<char>(byte));
  EXPECT_EQ(from_byte_level(to_byte_level(all)), all);
  EXPECT_EQ(from_byte_level("a b"), "a b");  // a space is not of the alphabet: taken as it is
}

TEST(Unicode, KnowsItsClasses) {
  EXPECT_TRUE(is_white_space(0x3000));
  EXPECT_FALSE(is_white_space(0x180E));
  EXPECT_FALSE(is_white_space(0x200B));
  EXPECT_TRUE(is_numeric(0xBD) && is_numeric(0x2167) && is_numeric(0x663));
  EXPECT_TRUE(is_punctuation('$') && is_punctuation(0x3002));
  EXPECT_FALSE(is_punctuation(0x20AC));
  EXPECT_TRUE(is_word('_') && is_word(0x301) && is_word(0x200D) && is_word(0x24B6));
  EXPECT_FALSE(is_word('-') || is_word(0xBD));
  EXPECT_EQ(to_lower("A\xC3\x89\xC4\xB0"), "a\xC3\xA9i\xCC\x87");
}

}  // namespace
}  // namespace rsr::text
