#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "engine/tiny_engine.h"

namespace rsr {
namespace {

TEST_F(TinyEngine, StreamsTheGreedyTokens) {
  const Engine engine = open();
  const Ids prompt = encode(engine, "one, two", true);
  const Ids expected = greedy(engine, prompt, 20);
  Session session = engine.session();
  Collector collector;
  const GenerateStats stats =
      session.generate("one, two", {.max_tokens = 20, .raw = true}, collector.callback()).value();
  EXPECT_EQ(collector.text(), decode(engine, expected));
  EXPECT_GE(collector.pieces.size(), 20u);
  EXPECT_EQ(stats.finish, FinishReason::length);
  EXPECT_EQ(stats.prompt_tokens, static_cast<int64_t>(prompt.size()));
  EXPECT_EQ(stats.new_tokens, 20);
  EXPECT_EQ(stats.decode_steps, 19);
  EXPECT_GT(stats.prompt_seconds, 0);
  EXPECT_GT(stats.decode_seconds, 0);
  const double kv_bytes = 2 * 1 * 2 * 16 * 2;  // f16
  const double mean_length = static_cast<double>(prompt.size()) + 19.0 / 2;
  EXPECT_DOUBLE_EQ(stats.bytes_per_token, static_cast<double>(engine.impl().model.weight_bytes()) +
                                              mean_length * kv_bytes);
}

TEST_F(TinyEngine, PaddingRowsAreNeverSampled) {
  // Rows beyond the tokenizer's ids that would win against any other: twice all others, and minus.
  std::string& head = tiny_.tensors["lm_head.weight"].bytes;
  for (size_t i = kVocab * 64 * 2; i < head.size(); i += 2) {
    head[i] = 0;
    head[i + 1] = static_cast<char>((i / 128) % 2 == 0 ? 0x42 : 0xc2);  // 32 or -32
  }
  const Engine engine = open();
  Session session = engine.session();
  const Ids expected = greedy(engine, encode(engine, "x", true), 30);
  EXPECT_EQ(answer(session, "x", {.max_tokens = 30, .raw = true}), decode(engine, expected));
  Collector sampled;
  for (uint64_t seed = 0; seed < 5; ++seed) {
    Session other = engine.session();
    ASSERT_TRUE(other
                    .generate("x", {.max_tokens = 20, .temperature = 5.0f, .seed = seed},
                              sampled.callback())
                    .ok());
  }
}

TEST_F(TinyEngine, StopsAtEveryKindOfStopId) {
  const Engine plain = open();
  const Ids prompt = encode(plain, "one, two", true);
  const Ids expected = greedy(plain, prompt, 30);
  // The first token that is new at its place, so that nothing stops earlier.
  size_t at = 5;
  while (std::count(expected.begin(), expected.begin() + static_cast<ptrdiff_t>(at), expected[at]) >
         0) {
    ++at;
  }
  const Ids before(expected.begin(), expected.begin() + static_cast<ptrdiff_t>(at));
  for (const bool in_config : {true, false}) {
    tiny_.config["eos_token_id"] = in_config ? expected[at] : 1;
    write_file("generation_config.json",
               in_config ? "{}" : "{\"eos_token_id\": [0, " + std::to_string(expected[at]) + "]}");
    const Engine engine = open();
    Session session = engine.session();
    Collector collector;
    const auto stats = session.generate("one, two", {.raw = true}, collector.callback()).value();
    EXPECT_EQ(stats.finish, FinishReason::stop);
    EXPECT_EQ(stats.new_tokens, static_cast<int64_t>(at) + 1);
    EXPECT_EQ(collector.text(), decode(engine, before));
  }
}

TEST_F(TinyEngine, StopIdsAreTheUnion) {
  tiny_.config["eos_token_id"] = 7;
  write_file("generation_config.json", R"({"eos_token_id": [5, 7]})");
  // 417 is the tokenizer's end of text, 418 ends a turn of the chat template.
  EXPECT_EQ(open().impl().generation.stop_ids, (Ids{5, 7, 417, 418}));
}

TEST_F(TinyEngine, TemperatureOfTheModelHoldsUnlessGiven) {
  write_file("generation_config.json", R"({"do_sample": true, "temperature": 0.8})");
  const Engine engine = open();
  EXPECT_FLOAT_EQ(engine.impl().generation.temperature, 0.8f);
  Session a = engine.session();
  Session b = engine.session();
  Session c = engine.session();
  const std::string text = answer(a, "one", {.max_tokens = 30, .seed = 4});
  EXPECT_EQ(text, answer(b, "one", {.max_tokens = 30, .temperature = 0.8f, .seed = 4}));
  EXPECT_NE(text, answer(c, "one", {.max_tokens = 30, .temperature = 0.0f, .seed = 4}));
}

TEST_F(TinyEngine, SeedsGiveEqualTextWithAnyThreads) {
  const Engine one = open({.context = {.threads = 1}});
  const Engine three = open({.context = {.threads = 3}});
  Session a = one.session();
  Session b = three.session();
  Session c = three.session();
  const std::string text = answer(a, "one", {.max_tokens = 60, .temperature = 1.0f, .seed = 9});
  EXPECT_EQ(text, answer(b, "one", {.max_tokens = 60, .temperature = 1.0f, .seed = 9}));
  EXPECT_NE(text, answer(c, "one", {.max_tokens = 60, .temperature = 1.0f, .seed = 10}));
}

TEST_F(TinyEngine, CancelledSessionGoesOn) {
  const Engine engine = open();
  const Ids first = encode(engine, "one, two", true);
  const Ids said = greedy(engine, first, 3);
  const Ids more = encode(engine, " and", false);
  const Ids said_next = greedy(engine, first + said + more, 5);
  Session session = engine.session();
  Collector collector;
  collector.end = 3;
  const auto stats =
      session.generate("one, two", {.max_tokens = 9, .raw = true}, collector.callback()).value();
  EXPECT_EQ(stats.finish, FinishReason::cancelled);
  EXPECT_EQ(stats.new_tokens, 3);
  EXPECT_EQ(answer(session, " and", {.max_tokens = 5, .raw = true}), decode(engine, said_next));
}

TEST_F(TinyEngine, CancelledPromptIsForgotten) {
  const Engine engine = open();
  Session session = engine.session();
  std::string prompt;
  for (int i = 0; i < 600; ++i) prompt += "\x01";  // a byte without merges: 600 tokens
  Collector collector;
  collector.end = 1;
  const auto stats = session.generate(prompt, {.raw = true}, collector.callback()).value();
  EXPECT_EQ(stats.finish, FinishReason::cancelled);
  EXPECT_EQ(stats.new_tokens, 0);
  EXPECT_EQ(collector.text(), "");
  Session fresh = engine.session();
  EXPECT_EQ(answer(session, "one", {.max_tokens = 5}), answer(fresh, "one", {.max_tokens = 5}));
}

TEST_F(TinyEngine, ContextLimit) {
  const Engine engine = open({.context = {.threads = 1}, .context_length = 40});
  Session session = engine.session();
  const auto refused =
      session.generate(std::string(50, '\x01'), {.raw = true}, [](auto) { return true; });
  EXPECT_EQ(refused.status().code(), ErrorCode::limit_exceeded);
  EXPECT_NE(refused.status().message().find("51 tokens to read, room for 40"), std::string::npos)
      << refused.status().message();
  // The session is as before, and a prompt that fills the context gives one token.
  const auto full = session.generate(std::string(39, '\x01'), {.raw = true}, nullptr).value();
  EXPECT_EQ(full.prompt_tokens, 40);
  EXPECT_EQ(full.new_tokens, 1);
  EXPECT_EQ(full.finish, FinishReason::length);
  EXPECT_EQ(session.generate("x", {}, nullptr).status().code(), ErrorCode::limit_exceeded);
  Session other = engine.session();
  const auto to_the_end = other.generate("x", {.raw = true}, nullptr).value();
  EXPECT_EQ(to_the_end.prompt_tokens + to_the_end.decode_steps, 40);
  EXPECT_EQ(to_the_end.finish, FinishReason::length);
}

TEST_F(TinyEngine, RefusesBadOptions) {
  const Engine engine = open();
  Session session = engine.session();
  const auto refused_option = session.generate("x", {.temperature = NAN}, nullptr);
  EXPECT_EQ(refused_option.status().code(), ErrorCode::invalid_argument);
  for (const int64_t length : {int64_t{-1}, int64_t{701}}) {
    const auto refused = Engine::open(directory_.path(), {.context_length = length});
    EXPECT_EQ(refused.status().code(), ErrorCode::invalid_argument);
  }
}

TEST_F(TinyEngine, EmptyPrompts) {
  const Engine engine = open();
  Session session = engine.session();
  EXPECT_EQ(session.generate("", {.max_tokens = 1, .raw = true}, nullptr)->prompt_tokens, 1);
  // Only the unread token is left to read; where none is, the last one is read again.
  EXPECT_EQ(session.generate("", {.max_tokens = 1, .raw = true}, nullptr)->prompt_tokens, 1);
  EXPECT_EQ(session.generate("", {.max_tokens = 1, .raw = true}, nullptr)->prompt_tokens, 1);
  EXPECT_FALSE(session.generate("\xff", {.raw = true}, nullptr).ok());
}

TEST_F(TinyEngine, LogitsThatAreNotFiniteAreAnError) {
  std::string& norm = tiny_.tensors["model.norm.weight"].bytes;
  for (size_t i = 0; i < norm.size(); i += 2) norm.replace(i, 2, "\x7f\x7f");  // 3.4e38
  const Engine engine = open();
  Session session = engine.session();
  const auto result = session.generate("x", {}, nullptr);
  EXPECT_EQ(result.status().code(), ErrorCode::corrupt_data);
}

TEST_F(TinyEngine, OpenNamesWhatIsWrong) {
  write();
  std::filesystem::remove(directory_.file("tokenizer.json"));
  const Status missing = Engine::open(directory_.path()).status();
  EXPECT_NE(missing.message().find("tokenizer.json"), std::string::npos) << missing.message();
  tiny_ = TinyModel({.vocab = 100, .layers = 1});
  write();
  const Status small = Engine::open(directory_.path()).status();
  EXPECT_NE(small.message().find("432 ids"), std::string::npos) << small.message();
}

TEST_F(TinyEngine, SessionsShareTheEngineAndKeepItAlive) {
  std::optional<Engine> engine = open();
  Session a = engine->session();
  Session b = engine->session();
  engine.reset();
  const std::string text = answer(a, "one", {.max_tokens = 10});
  EXPECT_EQ(answer(b, "one", {.max_tokens = 10}), text);
}

}  // namespace
}  // namespace rsr
