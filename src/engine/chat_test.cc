// Conversations: what the model reads of them, and what a session forgets.
#include <gtest/gtest.h>

#include <algorithm>

#include "engine/tiny_engine.h"

namespace rsr {
namespace {

constexpr int32_t kBos = 416;

struct Golden {
  const char* name;
  std::vector<std::string> turns;
};

// What Jinja2 (trim_blocks, lstrip_blocks, as transformers uses it) makes of each template and the
// conversation up to the first, second and third question: system "Be brief.", " one, two ",
// answer "three", "seven", answer " eight", "ten".
const std::vector<Golden> kGolden = {
    {"bitnet",
     {"System: Be brief.<|eot_id|>User: one, two<|eot_id|>Assistant: ",
      "System: Be brief.<|eot_id|>User: one, two<|eot_id|>Assistant: three<|eot_id|>User: "
      "seven<|eot_id|>Assistant: ",
      "System: Be brief.<|eot_id|>User: one, two<|eot_id|>Assistant: three<|eot_id|>User: "
      "seven<|eot_id|>Assistant: eight<|eot_id|>User: ten<|eot_id|>Assistant: "}},
    {"chatml",
     {"<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\n one, two "
      "<|im_end|>\n<|im_start|>assistant\n",
      "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\n one, two "
      "<|im_end|>\n<|im_start|>assistant\nthree<|im_end|>\n<|im_start|>user\nseven<|im_end|>\n<|im_"
      "start|>assistant\n",
      "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\n one, two "
      "<|im_end|>\n<|im_start|>assistant\nthree<|im_end|>\n<|im_start|>user\nseven<|im_end|>\n<|im_"
      "start|>assistant\n "
      "eight<|im_end|>\n<|im_start|>user\nten<|im_end|>\n<|im_start|>assistant\n"}},
    {"falcon3",
     {"<|system|>\nBe brief.\n<|user|>\n one, two \n<|assistant|>\n",
      "<|system|>\nBe brief.\n<|user|>\n one, two "
      "\n<|assistant|>\nthree<|end_of_text|>\n<|user|>\nseven\n<|assistant|>\n",
      "<|system|>\nBe brief.\n<|user|>\n one, two "
      "\n<|assistant|>\nthree<|end_of_text|>\n<|user|>\nseven\n<|assistant|>\n "
      "eight<|end_of_text|>\n<|user|>\nten\n<|assistant|>\n"}},
    {"llama3",
     {"<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nBe "
      "brief.<|eot_id|><|start_header_id|>user<|end_header_id|>\n\none, "
      "two<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n",
      "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nBe "
      "brief.<|eot_id|><|start_header_id|>user<|end_header_id|>\n\none, "
      "two<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\nthree<|eot_id|><|start_header_"
      "id|>user<|end_header_id|>\n\nseven<|eot_id|><|start_header_id|>assistant<|end_header_id|>"
      "\n\n",
      "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nBe "
      "brief.<|eot_id|><|start_header_id|>user<|end_header_id|>\n\none, "
      "two<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\nthree<|eot_id|><|start_header_"
      "id|>user<|end_header_id|>\n\nseven<|eot_id|><|start_header_id|>assistant<|end_header_id|>"
      "\n\neight<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nten<|eot_id|><|start_header_"
      "id|>assistant<|end_header_id|>\n\n"}},
};

/// One token as the whole answer: tokens[id] is what the model is made to say.
GenerateOptions say(const Engine& engine, const std::string& token) {
  const Ids ids = encode(engine, token, false);
  EXPECT_EQ(ids.size(), 1u) << token;
  return {.max_tokens = 1, .logit_bias = {{ids.at(0), 100.0f}}};
}

TEST_F(TinyEngine, EachTurnIsTheWholeConversationOfTheTemplate) {
  EXPECT_EQ(Engine::chat_template_names(),
            (std::vector<std::string>{"bitnet", "chatml", "falcon3", "llama3"}));
  for (const Golden& golden : kGolden) {
    const Engine engine = open({.context = {.threads = 1}, .chat_template = golden.name});
    EXPECT_EQ(engine.impl().chat->name(), golden.name);
    Session session = engine.session();
    ASSERT_TRUE(session.set_system("Be brief.").ok());
    const std::string questions[] = {" one, two ", "seven", "ten"};
    const std::string answers[] = {"three", " eight", "three"};
    for (size_t turn = 0; turn < 3; ++turn) {
      EXPECT_EQ(answer(session, questions[turn], say(engine, answers[turn])), answers[turn]);
      const bool bos = !engine.impl().chat->writes_bos();
      const Ids expected =
          encode(engine, golden.turns[turn], bos) + encode(engine, answers[turn], false);
      const Ids tokens = session.tokens();
      EXPECT_EQ(tokens, expected) << golden.name << ", turn " << turn;
      EXPECT_EQ(std::count(tokens.begin(), tokens.end(), kBos), 1) << golden.name;
    }
  }
}

TEST_F(TinyEngine, TurnsReadOnlyWhatIsNew) {
  const Engine engine = open({.context = {.threads = 1}, .chat_template = "chatml"});
  Session session = engine.session();
  EXPECT_EQ(answer(session, "one", say(engine, "three")), "three");
  const auto before = static_cast<int64_t>(session.tokens().size());
  const auto stats = session.generate("two", {.max_tokens = 3}, nullptr).value();
  // The answer was not read yet; all before it was.
  EXPECT_EQ(stats.prompt_tokens, static_cast<int64_t>(session.tokens().size()) - 3 - (before - 1));
}

/// What the model makes of the tokens of `session`, answered anew.
TEST_F(TinyEngine, AnswersAreThoseOfTheWholeConversation) {
  const Engine engine = open();
  Session session = engine.session();
  Collector first;
  ASSERT_TRUE(session.generate("one", {.max_tokens = 6}, first.callback()).ok());
  Collector second;
  ASSERT_TRUE(session.generate("two", {.max_tokens = 6}, second.callback()).ok());
  Ids prompt = session.tokens();
  const Ids said(prompt.end() - 6, prompt.end());
  prompt.resize(prompt.size() - 6);
  EXPECT_EQ(greedy(engine, prompt, 6), said);
  EXPECT_EQ(second.text(), decode(engine, said));
}

TEST_F(TinyEngine, ResetForgetsTurnsAndKeepsTheSystemMessage) {
  const Engine engine = open();
  Session session = engine.session();
  ASSERT_TRUE(session.set_system("Be brief.").ok());
  const std::string text = answer(session, "one", {.max_tokens = 8});
  const Ids tokens = session.tokens();
  answer(session, "two", {.max_tokens = 8});
  session.reset();
  EXPECT_TRUE(session.tokens().empty());
  EXPECT_EQ(answer(session, "one", {.max_tokens = 8}), text);
  EXPECT_EQ(session.tokens(), tokens);
  ASSERT_TRUE(session.set_system("").ok());
  session.reset();
  Session fresh = engine.session();
  answer(session, "one", {.max_tokens = 8});
  answer(fresh, "one", {.max_tokens = 8});
  EXPECT_EQ(session.tokens(), fresh.tokens());
}

TEST_F(TinyEngine, SystemMessageHoldsForThePresentConversation) {
  const Engine engine = open();
  Session session = engine.session();
  answer(session, "one", say(engine, "three"));
  ASSERT_TRUE(session.set_system("Be brief.").ok());
  answer(session, "two", say(engine, "three"));
  EXPECT_EQ(session.tokens(),
            encode(engine,
                   "System: Be brief.<|eot_id|>User: one<|eot_id|>Assistant: three<|eot_id|>User: "
                   "two<|eot_id|>Assistant: ",
                   true) +
                encode(engine, "three", false));
}

TEST_F(TinyEngine, SystemMessageErrors) {
  const Engine engine = open();
  Session session = engine.session();
  EXPECT_EQ(session.set_system("\xff").code(), ErrorCode::invalid_argument);
  std::filesystem::remove(directory_.file("tokenizer_config.json"));
  write_file("tokenizer_config.json", "{}");
  const Engine plain = Engine::open(directory_.path(), {.context = {.threads = 1}}).value();
  Session raw = plain.session();
  const Status status = raw.set_system("Be brief.");
  EXPECT_EQ(status.code(), ErrorCode::unsupported);
  EXPECT_NE(status.message().find("no chat template"), std::string::npos);
  EXPECT_TRUE(raw.set_system("").ok());
}

TEST_F(TinyEngine, UnknownChatTemplateOffersTheKnownOnes) {
  write_file("chat_template.jinja", "{{ messages }}");
  const Engine engine = open();
  Session session = engine.session();
  const Status status = session.generate("x", {}, nullptr).status();
  EXPECT_EQ(status.code(), ErrorCode::unsupported);
  EXPECT_NE(status.message().find("bitnet, chatml, falcon3, llama3"), std::string::npos)
      << status.message();
  EXPECT_TRUE(session.generate("x", {.max_tokens = 1, .raw = true}, nullptr).ok());
  const Status wrong = Engine::open(directory_.path(), {.chat_template = "chatl"}).status();
  EXPECT_EQ(wrong.code(), ErrorCode::invalid_argument);
  EXPECT_NE(wrong.message().find("bitnet, chatml, falcon3, llama3"), std::string::npos);
  Session chosen = open({.chat_template = "bitnet"}).session();
  EXPECT_TRUE(chosen.generate("x", {.max_tokens = 1}, nullptr).ok());
}

TEST_F(TinyEngine, RawTextEndsTheConversation) {
  const Engine engine = open();
  Session session = engine.session();
  GenerateOptions raw = say(engine, "three");
  raw.raw = true;
  answer(session, "one", raw);
  const Ids begun = session.tokens();
  answer(session, "two", say(engine, "three"));
  const Ids turn = encode(engine, "User: two<|eot_id|>Assistant: ", false);
  EXPECT_EQ(session.tokens(), begun + turn + encode(engine, "three", false));
  answer(session, " and", raw);
  answer(session, "two", say(engine, "three"));
  EXPECT_EQ(session.tokens(), begun + turn + encode(engine, "three", false) +
                                  encode(engine, " and", false) + encode(engine, "three", false) +
                                  turn + encode(engine, "three", false));
}

TEST_F(TinyEngine, StopStringsEndAnswersAndAreNotHistory) {
  const Engine engine = open();
  Session session = engine.session();
  GenerateOptions options = say(engine, "three");
  options.max_tokens = 10;
  options.stop = {"ethr"};
  Collector collector;
  const auto stats = session.generate("one", options, collector.callback()).value();
  EXPECT_EQ(collector.text(), "thre");
  EXPECT_EQ(stats.finish, FinishReason::stop);
  EXPECT_EQ(stats.new_tokens, 2);
  answer(session, "two", say(engine, "three"));
  EXPECT_EQ(
      session.tokens(),
      encode(engine,
             "User: one<|eot_id|>Assistant: thre<|eot_id|>User: two<|eot_id|>Assistant: ", true) +
          encode(engine, "three", false));
}

TEST_F(TinyEngine, IgnoreEosGoesOn) {
  const Engine engine = open();
  GenerateOptions options = {.max_tokens = 5, .logit_bias = {{418, 100.0f}}};
  Session session = engine.session();
  EXPECT_EQ(session.generate("one", options, nullptr)->finish, FinishReason::stop);
  options.ignore_eos = true;
  Session endless = engine.session();
  Collector collector;
  const auto stats = endless.generate("one", options, collector.callback()).value();
  EXPECT_EQ(stats.finish, FinishReason::length);
  EXPECT_EQ(stats.new_tokens, 5);
  EXPECT_EQ(collector.text(), "");
}

TEST_F(TinyEngine, FullContextLeavesTheSessionToReset) {
  const Engine engine = open({.context = {.threads = 1}, .context_length = 40});
  Session session = engine.session();
  EXPECT_EQ(session.generate("x", {.ignore_eos = true}, nullptr)->finish, FinishReason::length);
  const Ids tokens = session.tokens();
  EXPECT_EQ(session.generate("y", {}, nullptr).status().code(), ErrorCode::limit_exceeded);
  EXPECT_EQ(session.tokens(), tokens);
  session.reset();
  EXPECT_TRUE(session.generate("y", {.max_tokens = 1}, nullptr).ok());
}

TEST_F(TinyEngine, CancelledTurnOfAConversationIsForgotten) {
  const Engine engine = open();
  Session session = engine.session();
  answer(session, "one", say(engine, "three"));
  const Ids tokens = session.tokens();
  const auto stats =
      session.generate(std::string(600, '\x01'), {}, [](auto) { return false; }).value();
  EXPECT_EQ(stats.finish, FinishReason::cancelled);
  EXPECT_EQ(session.tokens(), tokens);
  Session other = engine.session();
  answer(other, "one", say(engine, "three"));
  EXPECT_EQ(answer(session, "two", {.max_tokens = 5}), answer(other, "two", {.max_tokens = 5}));
  EXPECT_EQ(session.tokens(), other.tokens());
}

}  // namespace
}  // namespace rsr
