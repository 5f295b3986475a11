#include "text/regex.h"

#include <gtest/gtest.h>

#include "text/pattern.h"

namespace rsr::text {
namespace {

std::vector<std::string> matches(const char* pattern, const std::string& text) {
  const auto regex = Regex::compile(pattern);
  EXPECT_TRUE(regex.ok()) << regex.status().message();
  const auto found = regex->find_all(text);
  EXPECT_TRUE(found.ok()) << found.status().message();
  std::vector<std::string> out;
  for (const ByteRange& range : *found) out.push_back(text.substr(range.begin, range.size()));
  return out;
}

using Strings = std::vector<std::string>;

TEST(Regex, TakesTheFirstAlternativeAtTheLeftmostPlace) {
  EXPECT_EQ(matches("a|ab", "xabab"), (Strings{"a", "a"}));
  EXPECT_EQ(matches(R"(\p{L}+|\p{N}{1,3})", "ab1234"), (Strings{"ab", "123", "4"}));
  EXPECT_EQ(matches(R"(\s+(?!\S)|\s+)", "a   b "), (Strings{"  ", " ", " "}));
}

TEST(Regex, FindsEmptyMatchesButNotRightBehindAnother) {
  EXPECT_EQ(matches("x*", "axb"), (Strings{"", "x", ""}));
  EXPECT_EQ(matches("x*", ""), (Strings{""}));
  EXPECT_EQ(matches("x*", "\xC3\xA9"), (Strings{"", ""}));
}

TEST(Regex, NamesWhatIsWrongWithAPattern) {
  const Status status = Regex::compile("a(b").status();
  EXPECT_EQ(status.code(), ErrorCode::corrupt_data);
  EXPECT_NE(status.message().find("a(b"), std::string::npos);
  EXPECT_EQ(Regex::compile(std::string(70'000, 'a')).status().code(), ErrorCode::limit_exceeded);
}

TEST(Regex, EndsHostileSearches) {
  const std::string text(5000, 'a');
  for (const char* pattern : {"([a-z]+)*\\d", "a{1,30}{1,30}{1,30}b", "(?<x>a|b\\g<x>c)+d"}) {
    const auto regex = Regex::compile(pattern);
    ASSERT_TRUE(regex.ok()) << pattern;
    EXPECT_EQ(regex->find_all(text).status().code(), ErrorCode::limit_exceeded) << pattern;
  }
}

TEST(Pattern, RefusesWhatItDoesNotKnow) {
  const auto status = [](const char* json) {
    return Pattern::parse(base::Json::parse(json)).status().code();
  };
  EXPECT_EQ(status(R"({"String":"a"})"), ErrorCode::ok);
  EXPECT_EQ(status(R"({"String":""})"), ErrorCode::unsupported);
  EXPECT_EQ(status(R"({"Glob":"a"})"), ErrorCode::unsupported);
  EXPECT_EQ(status(R"("a")"), ErrorCode::unsupported);
  EXPECT_FALSE(parse_split_behavior("isolated").ok());
}

}  // namespace
}  // namespace rsr::text
