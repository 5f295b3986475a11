// Prompt caches: whatever is held, the answers are those of a session that read everything.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <random>

#include "base/cpu.h"
#include "base/file.h"
#include "engine/tiny_engine.h"

namespace rsr {
namespace {

GenerateOptions six_tokens() {
  GenerateOptions options;
  options.max_tokens = 6;
  options.ignore_eos = true;
  return options;
}

class PromptCache : public TinyEngine {
 protected:
  std::string path_ = directory_.file("prompt.kv");

  static std::string long_text(size_t tokens) { return std::string(tokens, '\x01'); }

  static GenerateStats ask(Session& session, const std::string& prompt, std::string* said,
                           bool raw = true) {
    Collector collector;
    GenerateOptions options = six_tokens();
    options.raw = raw;
    options.temperature = 1.0f;  // so that every bit of the logits may count
    options.seed = 7;
    const auto stats = session.generate(prompt, options, collector.callback());
    EXPECT_TRUE(stats.ok()) << stats.status().message();
    *said = collector.text();
    return stats.ok() ? *stats : GenerateStats();
  }
  /// Saves what a new session has after the prompt.
  void save(const Engine& engine, const std::string& prompt, const std::string& path) const {
    Session session = engine.session();
    std::string said;
    ask(session, prompt, &said);
    const auto saved = session.save_prompt_cache(path);
    EXPECT_TRUE(saved.ok() && *saved) << saved.status().message();
  }
  EngineOptions with(KvCacheType type, int threads) const {
    EngineOptions options;
    options.context.threads = threads;
    options.kv_cache = type;
    return options;
  }
};

TEST_F(PromptCache, AnswersAreTheSameForEveryTypeAndAnyThreads) {
  const std::string shared = "one, two, three, four" + long_text(300);
  for (const KvCacheType type : {KvCacheType::f32, KvCacheType::f16, KvCacheType::i8}) {
    std::filesystem::remove(path_);
    const Engine writer = open(with(type, 1));
    save(writer, shared + " five", path_);
    for (const int threads : {1, 3}) {
      const Engine engine = open(with(type, threads));
      for (const char* end : {"", " five", " six", " five, six", "\x02\x02"}) {
        Session plain = engine.session();
        std::string wanted;
        const GenerateStats all = ask(plain, shared + end, &wanted);
        EXPECT_EQ(all.cached_tokens, 0);
        Session session = engine.session();
        const auto loaded = session.load_prompt_cache(path_);
        ASSERT_TRUE(loaded.ok()) << loaded.status().message();
        EXPECT_TRUE(session.tokens().empty());
        std::string said;
        const GenerateStats stats = ask(session, shared + end, &said);
        EXPECT_EQ(said, wanted);
        EXPECT_EQ(session.tokens(), plain.tokens());
        EXPECT_EQ(stats.cached_tokens + stats.prompt_tokens, all.prompt_tokens);
        EXPECT_GE(stats.cached_tokens, 300);
        EXPECT_GE(stats.prompt_tokens, 1);
      }
    }
  }
}

TEST_F(PromptCache, TheSamePromptReadsOneToken) {
  const Engine engine = open();
  save(engine, "one, two", path_);
  Session session = engine.session();
  const int64_t loaded = session.load_prompt_cache(path_).value();
  EXPECT_EQ(loaded, static_cast<int64_t>(encode(engine, "one, two", true).size()));
  std::string said;
  const GenerateStats stats = ask(session, "one, two", &said);
  EXPECT_EQ(stats.prompt_tokens, 1);
  EXPECT_EQ(stats.cached_tokens, loaded - 1);
  EXPECT_FALSE(session.save_prompt_cache(path_).value());  // it holds them all
}

TEST_F(PromptCache, IsWrittenWhenItWouldHoldMoreOrOtherTokens) {
  const Engine engine = open();
  save(engine, "one, two, three", path_);
  const auto content = [&] { return base::read_file(path_, size_t{1} << 24).value(); };
  const std::string first = content();
  const auto after = [&](const std::string& prompt) {
    Session session = engine.session();
    EXPECT_TRUE(session.load_prompt_cache(path_).ok());
    std::string said;
    ask(session, prompt, &said);
    return session.save_prompt_cache(path_).value();
  };
  EXPECT_FALSE(after("one, two"));
  EXPECT_EQ(content(), first);
  EXPECT_TRUE(after("one, two, three, four"));
  EXPECT_TRUE(after("one, five"));
  EXPECT_TRUE(after("one, two, three"));
  EXPECT_EQ(content(), first);
}

TEST_F(PromptCache, ASmallerContextTakesWhatFits) {
  save(open(), long_text(100), path_);
  EngineOptions options;
  options.context_length = 40;
  const Engine engine = open(options);
  Session session = engine.session();
  EXPECT_EQ(session.load_prompt_cache(path_).value(), 40);
  std::string said;
  std::string wanted;
  const GenerateStats stats = ask(session, long_text(30), &said);
  EXPECT_EQ(stats.prompt_tokens, 1);
  Session plain = engine.session();
  ask(plain, long_text(30), &wanted);
  EXPECT_EQ(said, wanted);
  // The longer one stays.
  EXPECT_FALSE(session.save_prompt_cache(path_).value());
  Session full = engine.session();
  EXPECT_EQ(full.load_prompt_cache(path_).value(), 40);
  EXPECT_EQ(ask(full, long_text(39), &said).prompt_tokens, 1);
}

TEST_F(PromptCache, ACancelledPromptKeepsWhatWasRead) {
  const Engine engine = open();
  Session session = engine.session();
  Collector collector;
  collector.end = 1;
  const auto stats = session.generate(long_text(600), {.raw = true}, collector.callback()).value();
  EXPECT_EQ(stats.finish, FinishReason::cancelled);
  EXPECT_TRUE(session.tokens().empty());
  EXPECT_TRUE(session.save_prompt_cache(path_).value());
  std::string wanted;
  Session plain = engine.session();
  ask(plain, long_text(600), &wanted);
  Session other = engine.session();
  EXPECT_EQ(other.load_prompt_cache(path_).value(), model::kTile);
  for (Session* goes_on : {&session, &other}) {
    std::string said;
    const GenerateStats rest = ask(*goes_on, long_text(600), &said);
    EXPECT_EQ(said, wanted);
    EXPECT_EQ(rest.cached_tokens, model::kTile);
    EXPECT_EQ(rest.prompt_tokens, 601 - model::kTile);
  }
}

TEST_F(PromptCache, FilesOfOthersAreRefusedAndStay) {
  save(open(), "one, two", path_);
  const std::string bytes = base::read_file(path_, size_t{1} << 24).value();
  const auto refusal = [&](const EngineOptions& options) {
    Session session = open(options).session();
    std::string said;
    ask(session, "three", &said);
    const Ids before = session.tokens();
    const Status status = session.load_prompt_cache(path_).status();
    EXPECT_EQ(session.tokens(), before);
    EXPECT_EQ(session.save_prompt_cache(path_).status().message(), status.message());
    EXPECT_EQ(base::read_file(path_, size_t{1} << 24).value(), bytes);
    EXPECT_EQ(status.code(), ErrorCode::invalid_argument);
    return status.message();
  };
  EXPECT_NE(refusal({.kv_cache = KvCacheType::f32}).find("(--kv): f16; here it is f32"),
            std::string::npos);
  EXPECT_NE(refusal({.context = {.isa = "reference"}}).find("here it is 2, rsr "),
            base::detect_isa() == base::Isa::reference ? 0 : std::string::npos);
  tiny_.tensors["model.norm.weight"].bytes[0] ^= 1;
  EXPECT_NE(refusal({}).find("another model: bitnet, 1 layers of 64, weights "), std::string::npos);
}

TEST_F(PromptCache, NothingReadIsNothingWritten) {
  Session session = open().session();
  EXPECT_FALSE(session.save_prompt_cache(path_).value());
  EXPECT_FALSE(std::filesystem::exists(path_));
  EXPECT_EQ(session.load_prompt_cache(path_).status().code(), ErrorCode::not_found);
  std::ofstream(path_) << "a letter";
  EXPECT_EQ(session.load_prompt_cache(path_).status().code(), ErrorCode::corrupt_data);
  std::string said;
  ask(session, "one", &said);
  EXPECT_EQ(session.save_prompt_cache(path_).status().code(), ErrorCode::corrupt_data);
  EXPECT_EQ(base::read_file(path_, 100).value(), "a letter");
  EXPECT_EQ(session.save_prompt_cache(directory_.file("no/such")).status().message(),
            directory_.file("no/such") + ": No such file or directory");
}

/// Sessions that do everything in any order: each answer must be the one that the forward pass
/// gives after these very tokens.
TEST_F(PromptCache, NoOrderOfCallsChangesAnAnswer) {
  for (const KvCacheType type : {KvCacheType::f32, KvCacheType::f16, KvCacheType::i8}) {
    const Engine engine = open(with(type, 2));
    const std::string files[] = {directory_.file("a" + std::to_string(static_cast<int>(type))),
                                 directory_.file("b" + std::to_string(static_cast<int>(type)))};
    const std::string prompts[] = {"one, two", "one, two, three", "one", long_text(40),
                                   "seven" + long_text(20)};
    std::mt19937 random(5);
    Session session = engine.session();
    int64_t cached = 0;
    for (int step = 0; step < 120; ++step) {
      const std::string& file = files[random() % 2];
      const std::string& prompt = prompts[random() % 5];
      const auto what = random() % 10;
      if (what == 0 || session.tokens().size() > 500) {
        session.reset();
      } else if (what == 1) {
        ASSERT_TRUE(session.save_prompt_cache(file).ok());
      } else if (what == 2) {
        const Status status = session.load_prompt_cache(file).status();
        ASSERT_TRUE(status.ok() || status.code() == ErrorCode::not_found) << status.message();
      } else if (what == 3) {
        Collector collector;
        collector.end = 1;  // of a prompt of two tiles, or of an answer
        const GenerateOptions options = {.max_tokens = 9, .raw = random() % 2 == 0};
        ASSERT_TRUE(session
                        .generate(random() % 2 == 0 && session.tokens().size() < 20 ? long_text(560)
                                                                                    : prompt,
                                  options, collector.callback())
                        .ok());
      } else {
        GenerateOptions options = six_tokens();
        options.raw = what < 7;
        const auto stats = session.generate(prompt, options, {});
        ASSERT_TRUE(stats.ok()) << stats.status().message();
        cached += stats->cached_tokens;
        const Ids all = session.tokens();
        const Ids before(all.begin(), all.end() - 6);
        ASSERT_EQ(Ids(all.end() - 6, all.end()), greedy(engine, before, 6)) << "step " << step;
        ASSERT_EQ(stats->cached_tokens + stats->prompt_tokens, static_cast<int64_t>(before.size()));
      }
    }
    EXPECT_GT(cached, 1000);
  }
}

}  // namespace
}  // namespace rsr
