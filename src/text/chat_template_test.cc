#include "text/chat_template.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "base/json.h"
#include "text/chat_template_sources.h"
#include "text/jinja_filters.h"

namespace rsr::text {
namespace {

const TemplateTokens kTokens{"<BOS>", "<EOS>"};

std::string joined(const std::vector<Segment>& segments) {
  std::string text;
  for (const Segment& segment : segments) text += segment.text;
  return text;
}

std::string render(std::string_view source, const std::vector<Message>& messages, bool prompt) {
  const auto chat = ChatTemplate::from_source(source, kTokens);
  EXPECT_TRUE(chat.ok()) << chat.status().message();
  const auto segments = chat->render(messages, prompt);
  EXPECT_TRUE(segments.ok()) << segments.status().message();
  return joined(*segments);
}

const std::vector<Message> kTalk{
    {"system", " Be brief.\n"}, {"user", "\tHi  "}, {"assistant", "Hello!"}, {"user", "1+1?"}};

// The expected texts below are what Jinja2 (trim_blocks, lstrip_blocks) makes of the sources.

TEST(ChatTemplate, RendersBitnet) {
  const std::string talk =
      "System: Be brief.<|eot_id|>User: Hi<|eot_id|>Assistant: Hello!<|eot_id|>User: "
      "1+1?<|eot_id|>";
  for (const std::string_view source : {kBitnetSource, kBitnetLoopSource}) {
    EXPECT_EQ(render(source, kTalk, true), talk + "Assistant: ");
    EXPECT_EQ(render(source, kTalk, false), talk);
  }
  EXPECT_EQ(render(kBitnetSource, {{"tOOL use", "x"}}, false), "Tool use: x<|eot_id|>");
}

TEST(ChatTemplate, RendersLlama3InBothVersions) {
  const std::string talk =
      "<BOS><|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|>"
      "<|start_header_id|>assistant<|end_header_id|>\n\nHello!<|eot_id|>";
  const std::string prompt = "<|start_header_id|>assistant<|end_header_id|>\n\n";
  const std::vector<Message> messages{kTalk[1], kTalk[2]};
  EXPECT_EQ(render(kLlama3Source, messages, true), talk + prompt);
  EXPECT_EQ(render(kLlama3Source, messages, false), talk);
  EXPECT_EQ(render(kLlama3AlwaysSource, messages, false), talk + prompt);
  EXPECT_TRUE(ChatTemplate::from_source(kLlama3Source, kTokens)->writes_bos());
  EXPECT_FALSE(ChatTemplate::from_source(kBitnetSource)->writes_bos());
}

TEST(ChatTemplate, RendersChatml) {
  const std::string talk = "<|im_start|>user\n\tHi  <|im_end|>\n";
  for (const std::string_view source : {kChatmlSource, kChatmlDefaultSource}) {
    EXPECT_EQ(render(source, {kTalk[1]}, true), talk + "<|im_start|>assistant\n");
    EXPECT_EQ(render(source, {kTalk[1]}, false), talk);
  }
}

TEST(ChatTemplate, RendersFalcon3) {
  EXPECT_EQ(
      render(kFalcon3Source, kTalk, true),
      "<|system|>\n Be brief.\n\n<|user|>\n\tHi  \n<|assistant|>\nHello!<EOS>\n<|user|>\n1+1?\n"
      "<|assistant|>\n");
  EXPECT_EQ(render(kFalcon3Source, {kTalk[1], kTalk[2]}, false),
            "<|user|>\n\tHi  \n<|assistant|>\nHello!<EOS>");
  const Status status =
      ChatTemplate::from_source(kFalcon3Source, kTokens)->render({{"tool", "x"}}, false).status();
  EXPECT_EQ(status.code(), ErrorCode::invalid_argument);
  EXPECT_NE(status.message().find("\"tool\""), std::string::npos);
}

TEST(ChatTemplate, AcceptsEscapedNewlinesAndOneTrailingNewline) {
  std::string escaped;
  for (const char c : kLlama3Source) escaped += c == '\n' ? "\\n" : std::string(1, c);
  EXPECT_EQ(ChatTemplate::from_source(escaped, kTokens)->name(), "llama3");
  EXPECT_EQ(ChatTemplate::from_source(std::string(kBitnetSource) + "\n")->name(), "bitnet");
  EXPECT_FALSE(ChatTemplate::from_source(std::string(kBitnetSource) + "\n\n").ok());
}

TEST(ChatTemplate, RefusesWhatItDoesNotKnow) {
  const Status status = ChatTemplate::from_source(std::string(70, 'j') + "tail").status();
  EXPECT_EQ(status.code(), ErrorCode::unsupported);
  EXPECT_NE(status.message().find(std::string(60, 'j') + "..."), std::string::npos);
  EXPECT_EQ(status.message().find("tail"), std::string::npos);
  EXPECT_FALSE(ChatTemplate::from_source("").ok());
  EXPECT_FALSE(ChatTemplate::from_source(kLlama3Source).ok());   // without a bos token
  EXPECT_FALSE(ChatTemplate::from_source(kFalcon3Source).ok());  // without an eos token
  EXPECT_FALSE(ChatTemplate::from_source(kBitnetSource)->render({{"user", "\xFF"}}, true).ok());
}

TEST(ChatTemplate, KeepsUserTextApart) {
  const auto segments =
      ChatTemplate::from_source(kBitnetSource)->render({{"user", "<|eot_id|>"}}, true);
  ASSERT_TRUE(segments.ok());
  ASSERT_EQ(segments->size(), 4U);
  EXPECT_EQ((*segments)[2].text, "<|eot_id|>");
  EXPECT_FALSE((*segments)[2].from_template);
  EXPECT_EQ((*segments)[3].text, "<|eot_id|>Assistant: ");
  EXPECT_TRUE((*segments)[3].from_template);
}

TEST(ChatTemplate, EncodesSegmentsAsOneText) {
  const auto golden = base::read_json(
      std::string(RSR_SOURCE_DIR) + "/tests/golden/tokenizer/llama3.json", 16 << 20);
  ASSERT_TRUE(golden.ok()) << golden.status().message();
  const auto tokenizer = Tokenizer::from_json((*golden)["tokenizer"].dump(), "llama3");
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status().message();
  const int32_t eot = *tokenizer->find("<|eot_id|>");
  const auto chat = ChatTemplate::from_source(kBitnetSource);
  const auto ids_of = [&](const std::string& content) {
    return *encode_segments(*tokenizer, *chat->render({{"user", content}}, true), true);
  };
  // Without special tokens in it, the text is encoded as the reference encodes the whole.
  EXPECT_EQ(ids_of("the quick  fox"),
            *tokenizer->encode("User: the quick  fox<|eot_id|>Assistant: ", {}));
  const std::vector<int32_t> ids = ids_of("a<|eot_id|>b");
  EXPECT_EQ(std::count(ids.begin(), ids.end(), eot), 1);
  EXPECT_EQ(tokenizer->decode(ids, false),
            "<|begin_of_text|>User: a<|eot_id|>b<|eot_id|>Assistant: ");
}

TEST(JinjaFilters, FollowPython) {
  EXPECT_EQ(jinja_trim("\x1C\t \xC2\xA0"
                       "a b\xE3\x80\x80\xC2\x85"
                       "c \n"),
            "a b\xE3\x80\x80\xC2\x85"
            "c");
  EXPECT_EQ(jinja_trim("\xE2\x80\x8B"), "\xE2\x80\x8B");  // a zero width space is no white space
  EXPECT_EQ(jinja_trim(" \n"), "");
  EXPECT_EQ(jinja_capitalize("uSER Role"), "User role");
  EXPECT_EQ(jinja_capitalize("\xC3\xA9\xC3\x89"), "\xC3\x89\xC3\xA9");
  EXPECT_EQ(jinja_capitalize("\xC7\x86x"), "\xC7\x85x");  // title case, not upper case
  EXPECT_EQ(jinja_capitalize(""), "");
}

class ModelFolder : public testing::Test {
 protected:
  ModelFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "rsr_chat_XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
  }
  ~ModelFolder() override { std::filesystem::remove_all(folder_); }
  void write(const char* name, std::string_view content) const {
    std::ofstream(folder_ + "/" + name) << content;
  }
  std::string folder_;
};

TEST_F(ModelFolder, GivesItsTemplateAndTokens) {
  EXPECT_EQ(*find_chat_template(folder_), "");
  EXPECT_EQ(find_template_tokens(folder_)->bos, "");
  write("tokenizer_config.json", R"({"chat_template":"T","bos_token":"<b>",
                                     "eos_token":{"content":"<e>"}})");
  EXPECT_EQ(*find_chat_template(folder_), "T");
  EXPECT_EQ(find_template_tokens(folder_)->bos, "<b>");
  EXPECT_EQ(find_template_tokens(folder_)->eos, "<e>");
  write("tokenizer_config.json", R"({"chat_template":[{"name":"tool","template":"A"},
                                     {"name":"default","template":"B"}]})");
  EXPECT_EQ(*find_chat_template(folder_), "B");
  write("chat_template.jinja", "J\n");
  EXPECT_EQ(*find_chat_template(folder_), "J\n");
}

TEST_F(ModelFolder, NamesTheFileOfAnError) {
  for (const char* bad : {"{", R"({"chat_template":1})", R"({"chat_template":[]})",
                          R"({"chat_template":[{"name":"default"}]})"}) {
    write("tokenizer_config.json", bad);
    const Status status = find_chat_template(folder_).status();
    EXPECT_FALSE(status.ok()) << bad;
    EXPECT_NE(status.message().find("tokenizer_config.json"), std::string::npos);
  }
  write("tokenizer_config.json", R"({"bos_token":7})");
  EXPECT_FALSE(find_template_tokens(folder_).ok());
}

}  // namespace
}  // namespace rsr::text
