#include "text/regex.h"

#include <gtest/gtest.h>

#include <chrono>

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
  for (const char* pattern :
       {"([a-z]+)*\\d", "a{1,30}{1,30}{1,30}b", "(?:a|aa)+$b", "[a-z]*[a-z]*[a-z]*\\d"}) {
    const auto regex = Regex::compile(pattern);
    ASSERT_TRUE(regex.ok()) << pattern;
    EXPECT_EQ(regex->find_all(text).status().code(), ErrorCode::limit_exceeded) << pattern;
  }
}

TEST(Regex, EndsSlowSearchesInSeconds) {
  // Walks to the end of the text from each place, for each step back, or both. The bound is loose:
  // without one these take minutes to hours.
  const std::string text(100'000, 'a');
  for (const char* pattern : {"a*+b", "a*?(?>a*)b", "(?:a*?a*+b|a)*c"}) {
    const auto begin = std::chrono::steady_clock::now();
    const auto regex = Regex::compile(pattern);
    ASSERT_TRUE(regex.ok()) << pattern;
    (void)regex->find_all(text);
    EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(30)) << pattern;
  }
}

TEST(Regex, GivesBackAMegabyteOfSpace) {
  const auto regex = Regex::compile(R"(\p{L}+|\s*[\r\n]+|\s+(?!\S)|\s+)");
  ASSERT_TRUE(regex.ok());
  const auto found = regex->find_all(std::string(1 << 20, ' ') + "a");
  ASSERT_TRUE(found.ok()) << found.status().message();
  EXPECT_EQ(found->size(), 3u);
}

TEST(Regex, RefusesWhatCouldWalkForeverWithoutAStepBack) {
  for (const char* pattern :
       {"(?:(?=(?:(?=a{500})a){500})a)*", "(?:(?:(?:\\b{1000}){1000}){1000}){1000}", "(?:a(?!b))+c",
        "(?<x>a|b\\g<x>c)+d", "(?x)a#[\n(?:b(?=c))*", "(?#[)(?:b(?=c))*", "(?~ab)", "\\Ga",
        "(?<=a){3}", "(?(a)b|c)", "a{1000}{1000}"}) {
    EXPECT_EQ(Regex::compile(pattern).status().code(), ErrorCode::unsupported) << pattern;
  }
  for (const char* pattern : {"\\p{N}{1,3}(?=(?:\\p{N}{3})*(?!\\p{N}))", "[^(\\s|[.,]?)]+(?!x)",
                              "[](]+(?:a|b)*", "a{,3}{b}", "(?i:'s|'t)|(?i-m:.)(?<!a)"}) {
    EXPECT_TRUE(Regex::compile(pattern).ok()) << pattern;
  }
}

TEST(Regex, KeepsMatchesInOrder) {
  // \\K in a look-behind puts the begin of a match before the end of the last one.
  const auto regex = Regex::compile("b(?<=\\Kab)|a");
  if (!regex.ok()) return;
  const auto found = regex->find_all("ab");
  if (!found.ok()) return;
  size_t previous = 0;
  for (const ByteRange& match : *found) {
    EXPECT_LE(previous, match.begin);
    EXPECT_LE(match.begin, match.end);
    previous = match.end;
  }
}

TEST(Regex, FindsWhatIsFarAway) {
  // Long searches are cut into windows; \\A, look-behind and the end must not notice.
  const std::string gap(10'000, '-');
  EXPECT_EQ(matches("\\Ab|(?<=-)x|(?<=c)d|$", gap + "bcd" + gap + "x"), (Strings{"d", "x"}));
  std::string wide;
  for (int i = 0; i < 5000; ++i) wide += "\xE2\x82\xAC";
  EXPECT_EQ(matches("(?:\xE2\x82\xAC)+!", wide + "!"), (Strings{wide + "!"}));
  EXPECT_EQ(matches("[^\xE2\x82\xAC]", wide + "!"), (Strings{"!"}));
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
