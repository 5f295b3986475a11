#include "text/pre_tokenizer.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/json.h"
#include "text/normalizer.h"

namespace rsr::text {
namespace {

using base::Json;
using Strings = std::vector<std::string>;

Strings pieces(const Json& json, const std::string& text) {
  RegexCache regexes;
  const auto pre_tokenizer = parse_pre_tokenizer(json, &regexes);
  EXPECT_TRUE(pre_tokenizer.ok()) << pre_tokenizer.status().message();
  Strings out{text};
  EXPECT_TRUE((*pre_tokenizer)->apply(&out).ok());
  return out;
}

Json split(const char* regex, const char* behavior, bool invert = false) {
  return {{"type", "Split"},
          {"pattern", {{"Regex", regex}}},
          {"behavior", behavior},
          {"invert", invert}};
}

/// What Hugging Face's tokenizers 0.23.3 give: the match begins where \K puts it, not at its "a".
TEST(Split, CutsWhereThePatternMovesItsMatch) {
  const char* moved = R"(a\Kb)";
  EXPECT_EQ(pieces(split(moved, "Isolated"), "xaby  aab"), (Strings{"xa", "b", "y  aa", "b"}));
  EXPECT_EQ(pieces(split(moved, "Removed"), "xaby  aab"), (Strings{"xa", "y  aa"}));
  EXPECT_EQ(pieces(split(moved, "Removed", true), "xaby  aab"), (Strings{"b", "b"}));
  EXPECT_EQ(pieces(split(moved, "MergedWithNext"), "xaby  aab"), (Strings{"xa", "by  aa", "b"}));
}

TEST(PreTokenizer, CompilesARegexOnceHoweverOftenItIsNamed) {
  const std::string gpt2 =
      R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";
  Json parts = Json::array();
  for (int i = 0; i < 34; ++i) {
    parts.push_back({{"type", "ByteLevel"}});
    parts.push_back({{"type", "Whitespace"}});
    parts.push_back(split(gpt2.c_str(), "Isolated"));
    parts.push_back({{"type", "Sequence"}, {"pretokenizers", {{{"type", "ByteLevel"}}}}});
  }
  RegexCache regexes;
  ASSERT_TRUE(parse_pre_tokenizer({{"type", "Sequence"}, {"pretokenizers", parts}}, &regexes).ok());
  EXPECT_EQ(regexes.compiled(), 2u);
  const Json replace = {{"type", "Replace"}, {"pattern", {{"Regex", gpt2}}}, {"content", ""}};
  ASSERT_TRUE(parse_normalizer(replace, &regexes).ok());
  EXPECT_EQ(regexes.compiled(), 2u);
}

TEST(PreTokenizer, RefusesTensOfThousandsOfRegexes) {
  Json parts = Json::array();
  for (int i = 10'000; i < 30'000; ++i) {
    parts.push_back(split(std::to_string(i).c_str(), "Isolated"));
  }
  RegexCache regexes;
  const Status status =
      parse_pre_tokenizer({{"type", "Sequence"}, {"pretokenizers", parts}}, &regexes).status();
  EXPECT_EQ(status.code(), ErrorCode::limit_exceeded);
  EXPECT_EQ(status.message(), "regexes of 65540 bytes together, at most 65536 are accepted");
}

}  // namespace
}  // namespace rsr::text
