#include "text/tokenizer.h"

#include <gtest/gtest.h>

#include <chrono>

#include "base/json.h"

namespace rsr::text {
namespace {

using base::Json;
using nlohmann::literals::operator""_json_pointer;
using Ids = std::vector<int32_t>;

/// A byte-level tokenizer whose letters are their own tokens, for tests to change.
Json small() {
  return Json::parse(R"({
    "added_tokens": [
      {"id": 20, "content": "<s>", "special": true, "normalized": false},
      {"id": 21, "content": "<s>x", "special": true, "normalized": false},
      {"id": 22, "content": "<t>", "special": false, "normalized": false}],
    "normalizer": null,
    "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "use_regex": true},
    "post_processor": {"type": "TemplateProcessing",
      "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A"}}],
      "special_tokens": {"<s>": {"id": "<s>", "ids": [20], "tokens": ["<s>"]}}},
    "decoder": {"type": "ByteLevel"},
    "model": {"type": "BPE",
      "vocab": {"a": 0, "b": 1, "<": 2, ">": 3, "s": 4, "t": 5, "x": 6, "Ġ": 7, "ab": 8, "aba": 9,
                "ba": 10},
      "merges": ["a b", ["b", "a"], "ab a"]}})");
}

Result<Tokenizer> make(const Json& json) {
  return Tokenizer::from_json(json.dump(), "t.json");
}

Ids encode(const Json& json, std::string_view text, const EncodeOptions& options = {}) {
  const auto tokenizer = make(json);
  EXPECT_TRUE(tokenizer.ok()) << tokenizer.status().message();
  const auto ids = tokenizer->encode(text, options);
  EXPECT_TRUE(ids.ok()) << ids.status().message();
  return ids.ok() ? *ids : Ids();
}

const EncodeOptions kBare{.add_special = false};

TEST(Tokenizer, MergesByRankThenFromTheLeft) {
  EXPECT_EQ(encode(small(), "ab"), (Ids{20, 8}));
  EXPECT_EQ(encode(small(), "abab", kBare), (Ids{8, 8}));
  EXPECT_EQ(encode(small(), "aba", kBare), (Ids{9}));
  EXPECT_EQ(encode(small(), "bab", kBare), (Ids{1, 8}));
  EXPECT_EQ(encode(small(), "", kBare), Ids());
}

TEST(Tokenizer, HandlesUnknownCharactersLikeTheReference) {
  Json json = small();
  EXPECT_EQ(encode(json, "azb", kBare), (Ids{8}));  // no unk token: dropped
  json["model"]["unk_token"] = "x";
  EXPECT_EQ(encode(json, "azzb", kBare), (Ids{0, 6, 6, 1}));
  json["model"]["fuse_unk"] = true;
  EXPECT_EQ(encode(json, "azzb", kBare), (Ids{0, 6, 1}));
  json["model"]["byte_fallback"] = true;
  json["model"]["vocab"]["<0x7A>"] = 11;
  EXPECT_EQ(encode(json, "azyb", kBare), (Ids{0, 11, 6, 1}));
}

TEST(Tokenizer, KnowsItsVocabulary) {
  const auto tokenizer = make(small());
  ASSERT_TRUE(tokenizer.ok());
  EXPECT_EQ(tokenizer->vocab_size(), 23);
  EXPECT_EQ(tokenizer->find("<t>"), 22);
  EXPECT_EQ(tokenizer->find("ab"), 8);
  EXPECT_EQ(tokenizer->find("zz"), std::nullopt);
  EXPECT_EQ(tokenizer->token_bytes(7, true), " ");
  EXPECT_EQ(tokenizer->token_bytes(20, true), "");
  EXPECT_EQ(tokenizer->token_bytes(20, false), "<s>");
  EXPECT_EQ(tokenizer->token_bytes(22, true), "<t>");
  for (const int32_t id : {-1, 15, 23, 1 << 30}) EXPECT_EQ(tokenizer->token_bytes(id, false), "");
}

TEST(Tokenizer, RecognisesSpecialTokensOutsideUserRangesOnly) {
  const auto with_ranges = [](std::string_view text, std::vector<ByteRange> ranges) {
    return encode(small(), text, {.add_special = false, .user_ranges = std::move(ranges)});
  };
  const Ids plain{2, 4, 3};
  EXPECT_EQ(with_ranges("<s><s>", {}), (Ids{20, 20}));
  EXPECT_EQ(with_ranges("<s><s>", {{3, 6}}), (Ids{20, 2, 4, 3}));
  EXPECT_EQ(with_ranges("<s><s>", {{0, 3}}), (Ids{2, 4, 3, 20}));
  EXPECT_EQ(with_ranges("<s>", {{0, 1}, {1, 2}, {2, 3}}), plain);
  EXPECT_EQ(with_ranges("<s>", {{1, 2}}), plain);
  // Ordinary added tokens are recognised in what users write.
  EXPECT_EQ(with_ranges("<t>", {{0, 3}}), (Ids{22}));
  // "<s>x" would reach into the user's text: the template's own "<s>" must not be lost to it.
  EXPECT_EQ(with_ranges("<s>x", {{3, 4}}), (Ids{20, 6}));
  EXPECT_EQ(with_ranges("<s>x", {}), (Ids{21}));
}

TEST(Tokenizer, JoinsTextBeforeItIsCut) {
  // The boundary between template and user is no boundary for the pre-tokenizer.
  EncodeOptions options{.add_special = false};
  options.user_ranges = {{1, 2}};
  EXPECT_EQ(encode(small(), "aba", options), (Ids{9}));
}

TEST(Tokenizer, TreatsSpecialTokensOfNormalizedTextAsCarefully) {
  Json json = small();
  json["normalizer"] = {{"type", "Lowercase"}};
  json["added_tokens"][0]["normalized"] = true;
  EXPECT_EQ(encode(json, "A<S>", kBare), (Ids{0, 20}));
  EncodeOptions options{.add_special = false};
  options.user_ranges = {{1, 4}};
  EXPECT_EQ(encode(json, "A<S>", options), (Ids{0, 2, 4, 3}));
  EXPECT_EQ(encode(json, "a<s>", options), (Ids{0, 2, 4, 3}));
}

TEST(Tokenizer, RefusesBadArguments) {
  const auto tokenizer = make(small());
  ASSERT_TRUE(tokenizer.ok());
  const Status utf8 = tokenizer->encode("ab\xFF", {}).status();
  EXPECT_EQ(utf8.code(), ErrorCode::invalid_argument);
  EXPECT_NE(utf8.message().find("byte 2"), std::string::npos);
  for (const std::vector<ByteRange>& ranges :
       {std::vector<ByteRange>{{0, 4}}, {{2, 1}}, {{1, 2}, {0, 1}}}) {
    EXPECT_FALSE(tokenizer->encode("aba", {.user_ranges = ranges}).ok());
  }
}

struct Edit {
  const char* pointer;
  const char* value;
  const char* message;
};

TEST(Tokenizer, RefusesWhatItDoesNotUnderstandByName) {
  const Edit edits[] = {
      {"/normalizer", R"({"type":"Precompiled"})",
       "normalizer: unknown normalizer \"Precompiled\""},
      {"/normalizer", R"({"type":"Sequence"})", "\"normalizers\" must be an array"},
      {"/normalizer", R"({"type":"Replace","pattern":{"Regex":"("},"content":""})", "regex"},
      {"/pre_tokenizer", R"({"type":"Metaspace"})", "unknown pre_tokenizer \"Metaspace\""},
      {"/pre_tokenizer", R"({"type":"Split","pattern":{"Regex":"a"},"behavior":"x"})", "behavior"},
      {"/pre_tokenizer", R"({"type":"Split","behavior":"Isolated"})", "\"pattern\" is missing"},
      {"/pre_tokenizer", R"({})", "\"type\" is missing"},
      {"/post_processor", R"({"type":"BertProcessing"})", "unknown post_processor"},
      {"/post_processor/single", R"([])", "leaves the text out"},
      {"/post_processor/single", R"([{"X":{}}])", "item"},
      {"/post_processor/special_tokens", R"({})", "no ids for \"<s>\""},
      {"/post_processor/special_tokens/<s>/ids", R"([99])", "there is no token 99"},
      {"/decoder", R"({"type":"Fuse"})", "unknown decoder \"Fuse\""},
      {"/decoder", R"(null)", "no decoder"},
      {"/model/type", R"("Unigram")", "unknown model \"Unigram\""},
      {"/model/dropout", R"(0.1)", "\"dropout\""},
      {"/model/continuing_subword_prefix", R"("##")", "continuing_subword_prefix"},
      {"/model/end_of_word_suffix", R"("</w>")", "end_of_word_suffix"},
      {"/model/unk_token", R"("?")", "\"unk_token\""},
      {"/model/merges", R"(["a  b"])", "merge 0"},
      {"/model/merges", R"([["a","b","c"]])", "merge 0"},
      {"/model/merges", R"(["a b","a z"])", "merge 1 (\"a\" + \"z\"): \"z\""},
      {"/model/merges", R"(["b b"])", "\"bb\" is not in the vocabulary"},
      {"/model/merges", R"({})", "must be an array"},
      {"/model/vocab", R"([])", "\"vocab\" must be an object"},
      {"/model/vocab", R"({"a":-1})", "has id -1"},
      {"/model/vocab", R"({"a":99999999})", "has id 99999999"},
      {"/model/vocab/ab", R"(0)", "both have id 0"},
      {"/added_tokens", R"([{"id":1}])", "\"content\" is missing"},
      {"/added_tokens", R"([{"id":20,"content":"p"},{"id":20,"content":"q"}])", "twice"},
      {"/added_tokens", R"([{"id":30,"content":"ab"}])", "the vocabulary gives it 8"},
      {"/added_tokens", R"([{"id":-5,"content":"p"}])", "has id -5"},
      {"/added_tokens", R"({})", "must be an array"},
      {"/model", R"(null)", "model: must be an object"},
  };
  for (const Edit& edit : edits) {
    Json json = small();
    json[Json::json_pointer(edit.pointer)] = Json::parse(edit.value);
    const Status status = make(json).status();
    EXPECT_FALSE(status.ok()) << edit.pointer << edit.value;
    EXPECT_NE(status.message().find(edit.message), std::string::npos) << status.message();
    EXPECT_TRUE(status.message().starts_with("t.json: ")) << status.message();
  }
}

TEST(Tokenizer, LimitsAddedTokensAfterNormalizingToo) {
  Json json = small();
  json["added_tokens"][2]["normalized"] = true;
  const auto status = [&](size_t prefix) {
    json["normalizer"] = {{"type", "Prepend"}, {"prepend", std::string(prefix, 'p')}};
    return make(json).status();
  };
  EXPECT_TRUE(status(1021).ok());  // with "<t>" the 1024 bytes that are allowed
  EXPECT_EQ(status(1022).code(), ErrorCode::limit_exceeded);
  EXPECT_NE(status(1022).message().find("token 22 has 1025 bytes when it is normalized"),
            std::string::npos);
}

TEST(Tokenizer, TakesModelsWithoutATypeAndCommentsAmongMerges) {
  Json json = small();
  json["model"].erase("type");
  json["model"]["merges"] = {"#version: 0.2", "a b"};
  EXPECT_EQ(encode(json, "ab", kBare), (Ids{8}));
}

TEST(Tokenizer, RefusesTextThatGrowsWithoutEnd) {
  const auto status = [](const char* member, const char* list, const char* part) {
    Json json = small();
    json[member] = {{"type", "Sequence"}, {list, Json::array()}};
    for (int i = 0; i < 34; ++i) json[member][list].push_back(Json::parse(part));
    const auto tokenizer = make(json);
    return tokenizer.ok() ? tokenizer->encode("a\xC3\xA9", kBare).status() : tokenizer.status();
  };
  const char* doubling = R"({"type":"Replace","pattern":{"String":"a"},"content":"aa"})";
  EXPECT_EQ(status("normalizer", "normalizers", doubling).code(), ErrorCode::limit_exceeded);
  const char* levels = R"({"type":"ByteLevel","use_regex":false})";
  EXPECT_EQ(status("pre_tokenizer", "pretokenizers", levels).code(), ErrorCode::limit_exceeded);
  Json json = small();
  for (int i = 0; i < 5000; ++i) json["/post_processor/special_tokens/<s>/ids"_json_pointer] += 20;
  EXPECT_EQ(make(json).status().code(), ErrorCode::limit_exceeded);
}

TEST(Tokenizer, TakesAWildIdForWhatItIs) {
  // A table by id would take a gigabyte here.
  Json json = small();
  json["added_tokens"][0]["id"] = 16777215;
  json["post_processor"] = nullptr;
  EXPECT_EQ(encode(json, "<s>", kBare), (Ids{16777215}));
  EXPECT_EQ(make(json)->vocab_size(), 16777216);
}

TEST(Tokenizer, StripsMuchSpaceInLittleTime) {
  // Each token looked for all of the space before it, 10^11 steps here.
  Json json = small();
  json["added_tokens"][2] = {{"id", 22}, {"content", "\t"}, {"lstrip", true}};
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(encode(json, std::string(500'000, '\t'), kBare).size(), 500'000u);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(60));
}

TEST(Tokenizer, EncodesALongRunInLittleTime) {
  // One pre-token of a megabyte. A quadratic merge would take hours; the bound is loose because
  // sanitizers and busy machines are slow.
  std::string text;
  for (int i = 0; i < 1 << 19; ++i) text += "ab";
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(encode(small(), text, kBare).size(), size_t{1} << 19);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(60));
}

}  // namespace
}  // namespace rsr::text
