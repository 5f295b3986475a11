// Scan or full head: the same tokens, for every way of sampling.
#include "engine/head.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "engine/tiny_engine.h"

namespace rsr {
namespace {

using engine::Sampler;
using engine::Sampling;

class HeadEngine : public TinyEngine {
 protected:
  Engine open_with(HeadMethod method) {
    EngineOptions options;
    options.context.threads = 2;
    options.head = method;
    return open(options);
  }

  /// Generates with both; `scanned` says whether the scan is to be used.
  void expect_same(const GenerateOptions& options, bool scanned = true) {
    Session a = full_.session();
    Session b = scan_.session();
    for (const char* prompt : {"one, two", "three", " and"}) {
      const auto one = a.generate(prompt, options, nullptr).value();
      const auto two = b.generate(prompt, options, nullptr).value();
      EXPECT_EQ(a.tokens(), b.tokens());
      EXPECT_EQ(one.head_candidates, 0);
      EXPECT_EQ(two.head_candidates > 0, scanned);
      EXPECT_EQ(one.new_tokens, two.new_tokens);
      EXPECT_EQ(one.bytes_per_token == two.bytes_per_token, !scanned);
    }
  }

  Engine full_ = open_with(HeadMethod::full);
  Engine scan_ = open_with(HeadMethod::scan);
};

TEST_F(HeadEngine, GreedyTokensAreTheSame) {
  expect_same({.max_tokens = 40});
  expect_same({.max_tokens = 40, .repetition_penalty = 1.3f});
  expect_same({.max_tokens = 40, .presence_penalty = 1.5f, .frequency_penalty = 0.5f});
  expect_same(
      {.max_tokens = 40, .frequency_penalty = -1.0f, .logit_bias = {{5, 3.0f}, {7, -9.0f}}});
}

TEST_F(HeadEngine, SampledTokensAreTheSame) {
  for (uint64_t seed = 1; seed < 6; ++seed) {
    expect_same({.max_tokens = 30, .temperature = 0.8f, .top_k = 5, .seed = seed});
    expect_same({.max_tokens = 30, .temperature = 3.0f, .top_k = 40, .top_p = 0.7f, .seed = seed});
    expect_same({.max_tokens = 30,
                 .temperature = 2.0f,
                 .top_k = 9,
                 .min_p = 0.2f,
                 .repetition_penalty = 1.2f,
                 .seed = seed});
    expect_same({.max_tokens = 30, .temperature = 1.0f, .min_p = 0.1f, .seed = seed});
  }
}

TEST_F(HeadEngine, SamplersThatNeedAllLogitsGetThem) {
  expect_same({.max_tokens = 20, .temperature = 1.0f, .top_k = 0, .seed = 3}, false);
  expect_same({.max_tokens = 20, .temperature = 1.0f, .top_k = 0, .top_p = 0.5f, .min_p = 0.1f},
              false);
  expect_same({.max_tokens = 20, .temperature = 1.0f, .top_k = 2000}, false);
}

TEST_F(HeadEngine, SmallHeadsAreNotScannedUnlessAsked) {
  EXPECT_FALSE(full_.impl().model.head_scan.has_value());
  EXPECT_TRUE(scan_.impl().model.head_scan.has_value());
  EXPECT_FALSE(open_with(HeadMethod::automatic).impl().model.head_scan.has_value());
}

TEST_F(HeadEngine, StatesThatAreNotFiniteAreAnErrorAsBefore) {
  std::string& norm = tiny_.tensors["model.norm.weight"].bytes;
  for (size_t i = 0; i < norm.size(); i += 2) norm.replace(i, 2, "\x7f\x7f");  // 3.4e38
  const Engine engine = open_with(HeadMethod::scan);
  Session session = engine.session();
  EXPECT_EQ(session.generate("x", {}, nullptr).status().code(), ErrorCode::corrupt_data);
}

/// Random logits, many of them equal; candidates as a scan might leave them: what is needed, and
/// others at random.
TEST(SamplerOfCandidates, ChoosesAsFromAllLogits) {
  std::mt19937 random(11);
  const Sampling cases[] = {
      {.temperature = 0.0f},
      {.temperature = 0.0f, .repetition_penalty = 1.5f, .frequency_penalty = 0.5f},
      {.temperature = 1.0f, .top_k = 1},
      {.temperature = 0.7f, .top_k = 20, .top_p = 0.8f},
      {.temperature = 1e30f, .top_k = 7},
      {.temperature = 1.3f, .top_k = 50, .min_p = 0.3f, .logit_bias = {{3, 1.0f}}},
      {.temperature = 1.0f, .min_p = 0.5f, .presence_penalty = 0.25f},
      {.temperature = 1.0f, .min_p = 1.0f},
  };
  for (const Sampling& sampling : cases) {
    const std::vector<int32_t> context = {1, 2, 3, 99, 5000};
    Sampler all(sampling, context);
    Sampler some(sampling, context);
    for (int i = 0; i < 200; ++i) {
      std::vector<float> logits(300);
      for (float& v : logits) v = static_cast<float>(random() % 64) / 16.0f - 2.0f;
      const auto need = some.need().value();
      const linear::ScoreChanges changes = some.changes();
      std::vector<float> scores(logits.begin(), logits.end());
      for (const int32_t id : changes.ids) {
        const auto at = static_cast<size_t>(id);
        if (at < scores.size()) scores[at] = changes.change(id, scores[at]);
      }
      std::vector<float> sorted = scores;
      std::sort(sorted.rbegin(), sorted.rend());
      const double least = sorted[static_cast<size_t>(need.best) - 1] - need.window;
      std::vector<int32_t> ids;
      std::vector<float> chosen;
      for (size_t id = 0; id < logits.size(); ++id) {
        if (scores[id] < least && random() % 4 != 0) continue;
        ids.push_back(static_cast<int32_t>(id));
        chosen.push_back(logits[id]);
      }
      ASSERT_EQ(some.sample(linear::HeadCandidates{ids, chosen}), all.sample(logits).value());
    }
  }
}

}  // namespace
}  // namespace rsr
