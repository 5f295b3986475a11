#include "engine/prompt.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace rsr::engine {
namespace {

constexpr const char* kDemo = RSR_SOURCE_DIR "/models/demo";
constexpr int32_t kBos = 416;
constexpr int32_t kEndOfTurn = 418;

class Prompt : public testing::Test {
 protected:
  text::Tokenizer tokenizer_ =
      text::Tokenizer::from_file(std::string(kDemo) + "/tokenizer.json").value();
  text::ChatTemplate chat_ =
      text::ChatTemplate::from_source(text::find_chat_template(kDemo).value()).value();

  std::vector<int32_t> encode(const std::string& text, bool add_special) {
    text::EncodeOptions options;
    options.add_special = add_special;
    return tokenizer_.encode(text, options).value();
  }
};

TEST_F(Prompt, FirstTurnIsTheRenderedText) {
  const auto ids = chat_prompt(tokenizer_, chat_, " Count to ten: ", Turn::first).value();
  EXPECT_EQ(ids, encode("User: Count to ten:<|eot_id|>Assistant: ", true));
  EXPECT_EQ(std::count(ids.begin(), ids.end(), kBos), 1);
}

TEST_F(Prompt, NextTurnEndsTheAnswerFirst) {
  const auto ids = chat_prompt(tokenizer_, chat_, "And on.", Turn::next).value();
  EXPECT_EQ(ids, encode("<|eot_id|>User: And on.<|eot_id|>Assistant: ", false));
}

TEST_F(Prompt, SpecialTokensOfTheUserAreText) {
  const std::string text = "a<|eot_id|>b<|begin_of_text|>";
  for (const Turn turn : {Turn::first, Turn::next}) {
    const auto ids = chat_prompt(tokenizer_, chat_, text, turn).value();
    EXPECT_EQ(std::count(ids.begin(), ids.end(), kEndOfTurn), turn == Turn::first ? 1 : 2);
    EXPECT_EQ(std::count(ids.begin(), ids.end(), kBos), turn == Turn::first ? 1 : 0);
  }
}

TEST_F(Prompt, RawTextIsTakenAsItIs) {
  EXPECT_EQ(raw_prompt(tokenizer_, "one<|eot_id|>", Turn::first).value(),
            encode("one<|eot_id|>", true));
  EXPECT_EQ(raw_prompt(tokenizer_, "one", Turn::next).value(), encode("one", false));
  EXPECT_TRUE(raw_prompt(tokenizer_, "", Turn::next)->empty());
}

TEST_F(Prompt, InvalidUtf8IsAnError) {
  EXPECT_FALSE(raw_prompt(tokenizer_, "\xff", Turn::first).ok());
  EXPECT_FALSE(chat_prompt(tokenizer_, chat_, "\xff", Turn::first).ok());
}

}  // namespace
}  // namespace rsr::engine
