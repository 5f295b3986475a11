// The tokenizer and its components against Hugging Face's, by the files that
// tools/make_tokenizer_golden.py wrote.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "base/json.h"
#include "text/normalizer.h"
#include "text/pre_tokenizer.h"
#include "text/tokenizer.h"

namespace rsr::text {
namespace {

using base::Json;
using Ids = std::vector<int32_t>;

Json read_golden(const std::string& name) {
  const std::string path =
      std::string(RSR_SOURCE_DIR) + "/tests/golden/tokenizer/" + name + ".json";
  Result<Json> json = base::read_json(path, 16 << 20);
  EXPECT_TRUE(json.ok()) << json.status().message();
  return json.ok() ? *json : Json();
}

class GoldenTest : public testing::TestWithParam<const char*> {
 protected:
  GoldenTest() : golden_(read_golden(GetParam())) {
    Result<Tokenizer> result = Tokenizer::from_json(golden_["tokenizer"].dump(), GetParam());
    EXPECT_TRUE(result.ok()) << result.status().message();
    if (result.ok()) tokenizer_ = std::make_unique<Tokenizer>(std::move(result).value());
  }
  void SetUp() override { ASSERT_NE(tokenizer_, nullptr); }

  Ids encode(const std::string& text, const EncodeOptions& options) const {
    const Result<Ids> ids = tokenizer_->encode(text, options);
    EXPECT_TRUE(ids.ok()) << ids.status().message();
    return ids.ok() ? *ids : Ids();
  }

  /// The ids one by one through the streaming decoder.
  std::string stream(const Ids& ids, bool skip_special) const {
    Utf8Stream utf8;
    std::string out;
    for (const int32_t id : ids) out += utf8.push(tokenizer_->token_bytes(id, skip_special));
    return out + utf8.finish();
  }

  Json golden_;
  std::unique_ptr<Tokenizer> tokenizer_;
};

TEST_P(GoldenTest, EncodesLikeTheReference) {
  ASSERT_GE(golden_["encode"].size(), 500U);
  for (const Json& c : golden_["encode"]) {
    EXPECT_EQ(encode(c["text"], {}), c["ids"].get<Ids>()) << c["text"];
  }
}

TEST_P(GoldenTest, SplitsSpecialTokensLikeTheReference) {
  int different = 0;
  for (const Json& c : golden_["encode"]) {
    EncodeOptions options{.add_special = false};
    const Ids parsed = encode(c["text"], options);
    options.added_tokens = AddedTokens::split_special;
    const Ids split = encode(c["text"], options);
    different += c.contains("split") ? 1 : 0;
    EXPECT_EQ(split, c.contains("split") ? c["split"].get<Ids>() : parsed) << c["text"];
  }
  EXPECT_GT(different, 50);
}

TEST_P(GoldenTest, AUserRangeOverAllOfTheTextIsSplitSpecial) {
  for (const Json& c : golden_["encode"]) {
    const std::string text = c["text"];
    EncodeOptions ranges{.add_special = false};
    ranges.user_ranges = {{0, text.size() / 2}, {text.size() / 2, text.size()}};
    const EncodeOptions split{.add_special = false, .added_tokens = AddedTokens::split_special};
    EXPECT_EQ(encode(text, ranges), encode(text, split)) << c["text"];
  }
}

TEST_P(GoldenTest, DecodesLikeTheReferenceAtOnceAndStreaming) {
  for (const Json& c : golden_["encode"]) {
    const Json& decoded = c.contains("decoded") ? c["decoded"] : c["text"];
    if (decoded.is_null()) continue;
    const std::string expected = decoded;
    const Ids ids = encode(c["text"], {.add_special = false});
    EXPECT_EQ(tokenizer_->decode(ids, false), expected);
    EXPECT_EQ(stream(ids, false), expected);
  }
  for (const Json& c : golden_["decode"]) {
    const Ids ids = c["ids"];
    EXPECT_EQ(tokenizer_->decode(ids, false), c["all"].get<std::string>());
    EXPECT_EQ(tokenizer_->decode(ids, true), c["shown"].get<std::string>());
    EXPECT_EQ(stream(ids, false), c["all"].get<std::string>());
    EXPECT_EQ(stream(ids, true), c["shown"].get<std::string>());
  }
}

INSTANTIATE_TEST_SUITE_P(Families, GoldenTest, testing::Values("llama3", "qwen", "neox"),
                         [](const auto& family) { return std::string(family.param); });

TEST(GoldenComponents, CutAndNormalizeLikeTheReference) {
  const Json golden = read_golden("components");
  ASSERT_GT(golden["cases"].size(), 300U);
  RegexCache regexes;
  for (const Json& c : golden["cases"]) {
    const std::string text = c["text"];
    if (c.contains("normalized")) {
      const auto normalizer = parse_normalizer(c["config"], &regexes);
      ASSERT_TRUE(normalizer.ok()) << normalizer.status().message();
      const auto normalized = (*normalizer)->apply(text);
      ASSERT_TRUE(normalized.ok()) << normalized.status().message();
      EXPECT_EQ(*normalized, c["normalized"].get<std::string>()) << c["config"] << c["text"];
      continue;
    }
    const auto pre_tokenizer = parse_pre_tokenizer(c["config"], &regexes);
    ASSERT_TRUE(pre_tokenizer.ok()) << pre_tokenizer.status().message();
    std::vector<std::string> pieces{text};
    const Status status = (*pre_tokenizer)->apply(&pieces);
    ASSERT_TRUE(status.ok()) << status.message();
    EXPECT_EQ(pieces, c["pieces"].get<std::vector<std::string>>()) << c["config"] << c["text"];
  }
}

}  // namespace
}  // namespace rsr::text
