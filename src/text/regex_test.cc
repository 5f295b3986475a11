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

TEST(Regex, EndsSlowSearchesByTheClock) {
  // Walks to the end of the text from each place, for each step back, or both. The bound is loose:
  // without the clock these take minutes to hours.
  const std::string text(100'000, 'a');
  const SearchTime time = {.base = std::chrono::milliseconds(20), .per_byte = {}};
  for (const char* pattern : {"a*+b", "a*?(?>a*)b", "(?:a*?a*+b|a)*c"}) {
    const auto regex = Regex::compile(pattern);
    ASSERT_TRUE(regex.ok()) << pattern;
    const auto begin = std::chrono::steady_clock::now();
    const Status status = regex->find_all(text, time).status();
    const auto took = std::chrono::steady_clock::now() - begin;
    EXPECT_EQ(status.message(), "regex: too much time over a text of 100000 bytes") << pattern;
    EXPECT_LT(took, std::chrono::seconds(20)) << pattern;
  }
}

TEST(Regex, GivesASearchSecondsUnlessToldOtherwise) {
  EXPECT_EQ(SearchTime().of(0), std::chrono::seconds(5));
  EXPECT_EQ(SearchTime().of(1'000'000), std::chrono::seconds(10));
}

TEST(Regex, GivesBackAMegabyteOfSpace) {
  const auto regex = Regex::compile(R"(\p{L}+|\s*[\r\n]+|\s+(?!\S)|\s+)");
  ASSERT_TRUE(regex.ok());
  // 3 seconds under AddressSanitizer, 11 beside three other programs: the clock is not the matter.
  const SearchTime time = {.base = std::chrono::minutes(5), .per_byte = {}};
  const auto found = regex->find_all(std::string(1 << 20, ' ') + "a", time);
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

TEST(Regex, LetsAPatternMoveTheBeginOfItsMatch) {
  EXPECT_EQ(matches("a\\Kb|x", "xabx"), (Strings{"x", "b", "x"}));
  const auto found = Regex::compile("\\s+\\Ka+")->find_all("a  aa");
  ASSERT_EQ(found->size(), 1u);
  EXPECT_EQ(found->at(0).begin, 3u);
}

TEST(Regex, KeepsMatchesInOrder) {
  // \\K in a look-behind puts the begin of a match before the end of the last one. Who refuses
  // that, this engine or the library, may differ by the library's version.
  const auto regex = Regex::compile("b(?<=\\Kab)|a");
  const Status status = regex.ok() ? regex->find_all("ab").status() : regex.status();
  EXPECT_FALSE(status.ok());
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

TEST(RegexCache, CompilesAPatternOnce) {
  RegexCache regexes;
  ASSERT_TRUE(regexes.get("a+").ok());
  ASSERT_TRUE(regexes.get("b").ok());
  EXPECT_EQ(regexes.get("a+")->find_all("aab")->at(0).end, 2u);
  EXPECT_EQ(regexes.compiled(), 2u);
  EXPECT_FALSE(regexes.get("(").ok());
}

TEST(RegexCache, BoundsTheLengthOfAllPatternsTogether) {
  RegexCache regexes;
  const std::string half(size_t{32} << 10, 'a');
  ASSERT_TRUE(regexes.get(half).ok());
  for (int i = 0; i < 1000; ++i) ASSERT_TRUE(regexes.get(half).ok());  // the same costs nothing
  ASSERT_TRUE(regexes.get(std::string(half.size() - 1, 'b')).ok());
  EXPECT_EQ(regexes.get("cd").status().code(), ErrorCode::limit_exceeded);
  EXPECT_EQ(regexes.get("cd").status().message(),
            "regexes of 65537 bytes together, at most 65536 are accepted");
  EXPECT_TRUE(regexes.get("c").ok());
}

TEST(Pattern, RefusesWhatItDoesNotKnow) {
  const auto status = [](const char* json) {
    RegexCache regexes;
    return Pattern::parse(base::Json::parse(json), &regexes).status().code();
  };
  EXPECT_EQ(status(R"({"String":"a"})"), ErrorCode::ok);
  EXPECT_EQ(status(R"({"String":""})"), ErrorCode::unsupported);
  EXPECT_EQ(status(R"({"Glob":"a"})"), ErrorCode::unsupported);
  EXPECT_EQ(status(R"("a")"), ErrorCode::unsupported);
  EXPECT_FALSE(parse_split_behavior("isolated").ok());
}

}  // namespace
}  // namespace rsr::text
