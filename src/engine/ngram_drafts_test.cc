// What is guessed, and that guesses change nothing but the time.
#include "engine/ngram_drafts.h"

#include <gtest/gtest.h>

#include "engine/tiny_engine.h"
#include "text/utf8.h"

namespace rsr {
namespace {

using engine::NgramDrafts;

Ids guess(const Ids& ids, int64_t most = NgramDrafts::kMost) {
  NgramDrafts drafts;
  const auto tokens = drafts.guess(ids, most);
  return {tokens.begin(), tokens.end()};
}

/// Guesses as one does whose guesses have all been right.
Ids trusted_guess(const Ids& ids, int64_t most = NgramDrafts::kMost) {
  NgramDrafts drafts;
  const Ids loop = {1, 2, 1, 2, 1, 2, 1, 2};
  for (int i = 0; i < 30; ++i) {
    for (const int32_t id : drafts.guess(loop, NgramDrafts::kMost)) drafts.confirm(id);
  }
  const auto tokens = drafts.guess(ids, most);
  return {tokens.begin(), tokens.end()};
}

TEST(NgramDrafts, GuessesWhatFollowedBefore) {
  EXPECT_EQ(guess({}), Ids{});
  EXPECT_EQ(guess({5}), Ids{});
  EXPECT_EQ(guess({5, 6, 7, 8}), Ids{});
  EXPECT_EQ(guess({5, 6, 9, 6}), Ids{}) << "one token that is the same is no match";
  EXPECT_EQ(guess({5, 6, 9, 5, 6}), (Ids{9, 5}));
  EXPECT_EQ(trusted_guess({5, 6, 9, 8, 7, 5, 6}), (Ids{9, 8, 7, 5, 6, 9}));
  EXPECT_EQ(trusted_guess({5, 6, 9, 8, 7, 5, 6}, 2), (Ids{9, 8}));
  EXPECT_EQ(trusted_guess({5, 6, 9, 8, 7, 5, 6}, 0), Ids{});
  EXPECT_EQ(trusted_guess({3, 3, 3}), (Ids{3, 3, 3, 3, 3, 3})) << "from itself";
}

TEST(NgramDrafts, TheLongestMatchCountsAndThenTheLatest) {
  EXPECT_EQ(guess({1, 2, 50, 2, 60, 1, 2}, 1), Ids{50});
  EXPECT_EQ(guess({1, 2, 50, 1, 2, 60, 1, 2}, 1), Ids{60});
  EXPECT_EQ(guess({9, 1, 2, 50, 1, 2, 60, 9, 1, 2}, 1), Ids{50});
}

TEST(NgramDrafts, ConfirmsInOrder) {
  NgramDrafts drafts;
  const Ids loop = {1, 2, 3, 1, 2, 3, 1, 2};
  EXPECT_FALSE(drafts.confirm(1)) << "nothing was guessed";
  for (int i = 0; i < 30; ++i) {
    for (const int32_t id : drafts.guess(loop, 3)) drafts.confirm(id);
  }
  ASSERT_EQ(drafts.guess(loop, 3).size(), 3U);
  EXPECT_EQ(drafts.confirmed(), 0);
  EXPECT_TRUE(drafts.confirm(3));
  EXPECT_TRUE(drafts.confirm(1));
  EXPECT_FALSE(drafts.confirm(1)) << "2 was guessed";
  EXPECT_EQ(drafts.confirmed(), 2);
  EXPECT_EQ(drafts.all_guessed(), drafts.all_confirmed() + 1);
}

TEST(NgramDrafts, WrongGuessesEndGuessing) {
  NgramDrafts drafts;
  const Ids ids = {1, 2, 3, 1, 2};
  int64_t guessed = 0;
  for (int i = 0; i < 400; ++i) guessed += static_cast<int64_t>(drafts.guess(ids, 7).size());
  EXPECT_EQ(guessed, drafts.all_guessed());
  EXPECT_LT(guessed, 100);
  EXPECT_GT(guessed, 45) << "it is tried again now and then";
}

class Speculation : public TinyEngine {
 protected:
  Engine open_with(HeadMethod head, KvCacheType kv = KvCacheType::f16) {
    return open({.context = {.threads = 2}, .kv_cache = kv, .head = head});
  }

  /// Equal text, tokens and end with and without drafts; the number of guesses that were right.
  static int64_t accepted_where_same(const Engine& engine, GenerateOptions options) {
    Session plain = engine.session();
    Session drafting = engine.session();
    int64_t accepted = 0;
    for (const char* prompt : {"one, two, one, two, one", "three and three and", " and"}) {
      Collector one;
      Collector two;
      options.draft = Draft::none;
      const GenerateStats a = plain.generate(prompt, options, one.callback()).value();
      options.draft = Draft::ngram;
      const GenerateStats b = drafting.generate(prompt, options, two.callback()).value();
      EXPECT_EQ(one.pieces, two.pieces);
      EXPECT_EQ(plain.tokens(), drafting.tokens());
      EXPECT_EQ(a.new_tokens, b.new_tokens);
      EXPECT_EQ(a.finish, b.finish);
      EXPECT_EQ(a.drafted_tokens + a.accepted_tokens, 0);
      EXPECT_EQ(a.decode_steps, a.new_tokens - 1);
      EXPECT_GE(b.decode_steps, b.new_tokens - 1 - b.accepted_tokens);
      EXPECT_LE(b.accepted_tokens, b.drafted_tokens);
      accepted += b.accepted_tokens;
    }
    return accepted;
  }
  static void expect_same(const Engine& engine, const GenerateOptions& options) {
    EXPECT_GT(accepted_where_same(engine, options), 0);
  }
};

TEST_F(Speculation, GreedyTextIsTheSame) {
  for (const HeadMethod head : {HeadMethod::full, HeadMethod::scan}) {
    for (const KvCacheType kv : {KvCacheType::f32, KvCacheType::f16, KvCacheType::i8}) {
      const Engine engine = open_with(head, kv);
      expect_same(engine, {.max_tokens = 60});
      expect_same(engine, {.max_tokens = 60, .raw = true});
    }
  }
}

TEST_F(Speculation, SampledTextIsTheSame) {
  for (const HeadMethod head : {HeadMethod::full, HeadMethod::scan}) {
    const Engine engine = open_with(head);
    for (uint64_t seed = 1; seed < 3; ++seed) {
      expect_same(engine, {.max_tokens = 150, .temperature = 0.1f, .top_k = 5, .seed = seed});
      expect_same(engine, {.max_tokens = 150, .temperature = 0.1f, .top_k = 0, .seed = seed});
      expect_same(engine, {.max_tokens = 150, .temperature = 0.1f, .min_p = 0.1f, .seed = seed});
    }
  }
}

/// Penalties depend on each token before, guessed or not.
TEST_F(Speculation, PenalisedTextIsTheSame) {
  for (const HeadMethod head : {HeadMethod::full, HeadMethod::scan}) {
    const Engine engine = open_with(head);
    expect_same(engine, {.max_tokens = 200, .repetition_penalty = 1.02f});
    expect_same(engine, {.max_tokens = 200, .frequency_penalty = 0.02f});
    expect_same(engine, {.max_tokens = 200,
                         .temperature = 0.1f,
                         .top_k = 9,
                         .presence_penalty = 0.1f,
                         .logit_bias = {{5, 1.0f}, {7, -9.0f}}});
  }
}

TEST_F(Speculation, EndsWherePlainDecodingEnds) {
  const Engine engine = open_with(HeadMethod::scan);
  Session session = engine.session();
  const std::string text = answer(session, "one, two", {.max_tokens = 60, .raw = true});
  int64_t accepted = 0;
  for (size_t at = 10; at + 3 < text.size(); at += 7) {
    const std::string stop = text.substr(at, 3);
    if (text::find_invalid_utf8(stop)) continue;
    accepted += accepted_where_same(engine, {.max_tokens = 300, .raw = true, .stop = {stop}});
  }
  EXPECT_GT(accepted, 0);
}

TEST_F(Speculation, FillsTheContextToItsEnd) {
  const Engine engine =
      open({.context = {.threads = 2}, .context_length = 90, .head = HeadMethod::scan});
  for (const Draft draft : {Draft::none, Draft::ngram}) {
    Session session = engine.session();
    const auto stats = session.generate("one, two, one, two",
                                        {.raw = true, .ignore_eos = true, .draft = draft}, nullptr);
    EXPECT_EQ(stats->finish, FinishReason::length);
    EXPECT_EQ(session.tokens().size(), 91u);  // the last was said, not read
  }
}

TEST_F(Speculation, MostNewTokensAreKept) {
  const Engine engine = open_with(HeadMethod::full);
  for (int64_t most = 1; most < 30; ++most) {
    Session session = engine.session();
    const auto stats =
        session.generate("one, two, one, two",
                         {.max_tokens = most, .ignore_eos = true, .draft = Draft::ngram}, nullptr);
    EXPECT_EQ(stats->new_tokens, most);
  }
}

}  // namespace
}  // namespace rsr
