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

TEST_F(Prompt, IsTheRenderedConversation) {
  const auto ids =
      chat_prompt(tokenizer_, chat_, {{"user", " Count to ten: "}}, Place::begin).value();
  EXPECT_EQ(ids, encode("User: Count to ten:<|eot_id|>Assistant: ", true));
  EXPECT_EQ(std::count(ids.begin(), ids.end(), kBos), 1);
  EXPECT_EQ(chat_prompt(tokenizer_, chat_, {{"user", "a"}, {"assistant", "b"}, {"user", "c"}},
                        Place::begin)
                .value(),
            encode("User: a<|eot_id|>Assistant: b<|eot_id|>User: c<|eot_id|>Assistant: ", true));
}

TEST_F(Prompt, LaterTextHasNoSecondBegin) {
  EXPECT_EQ(chat_prompt(tokenizer_, chat_, {{"user", "a"}}, Place::later).value(),
            encode("User: a<|eot_id|>Assistant: ", false));
}

TEST_F(Prompt, SpecialTokensOfTheUserAreText) {
  const auto ids =
      chat_prompt(tokenizer_, chat_, {{"user", "a<|eot_id|>b<|begin_of_text|>"}}, Place::begin)
          .value();
  EXPECT_EQ(std::count(ids.begin(), ids.end(), kEndOfTurn), 1);
  EXPECT_EQ(std::count(ids.begin(), ids.end(), kBos), 1);
}

TEST_F(Prompt, RawTextIsTakenAsItIs) {
  EXPECT_EQ(raw_prompt(tokenizer_, "one<|eot_id|>", Place::begin).value(),
            encode("one<|eot_id|>", true));
  EXPECT_EQ(raw_prompt(tokenizer_, "one", Place::later).value(), encode("one", false));
  EXPECT_TRUE(raw_prompt(tokenizer_, "", Place::later)->empty());
}

TEST_F(Prompt, InvalidUtf8IsAnError) {
  EXPECT_FALSE(raw_prompt(tokenizer_, "\xff", Place::begin).ok());
  EXPECT_FALSE(chat_prompt(tokenizer_, chat_, {{"user", "\xff"}}, Place::begin).ok());
}

}  // namespace
}  // namespace rsr::engine
