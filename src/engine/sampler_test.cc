#include "engine/sampler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>
#include <set>
#include <vector>

namespace rsr::engine {
namespace {

TEST(Sampler, GreedyTakesTheLowestIdAmongEquals) {
  Sampler sampler({.temperature = 0.0f});
  EXPECT_EQ(sampler.sample(std::vector<float>{-3, 2, 1, 2}).value(), 1);
  EXPECT_EQ(sampler.sample(std::vector<float>{-INFINITY, -5}).value(), 1);
}

TEST(Sampler, RefusesNanAndInfinity) {
  for (const float bad : {NAN, INFINITY}) {
    for (const float temperature : {0.0f, 1.0f}) {
      Sampler sampler({.temperature = temperature});
      const auto result = sampler.sample(std::vector<float>{0, bad, 1});
      ASSERT_FALSE(result.ok());
      EXPECT_NE(result.status().message().find("token 1"), std::string::npos);
    }
  }
}

std::vector<int32_t> draws(float temperature, uint64_t seed, int count) {
  Sampler sampler({.temperature = temperature, .seed = seed});
  std::vector<int32_t> ids;
  ids.reserve(static_cast<size_t>(count));
  for (int i = 0; i < count; ++i) {
    ids.push_back(sampler.sample(std::vector<float>{0, 1, -INFINITY, 2}).value());
  }
  return ids;
}

TEST(Sampler, SeedsDecide) {
  EXPECT_EQ(draws(1.0f, 7, 100), draws(1.0f, 7, 100));
  EXPECT_NE(draws(1.0f, 7, 100), draws(1.0f, 8, 100));
  // Fixed by the C++ standard's definition of the generator: the same on every machine.
  EXPECT_EQ(draws(1.0f, 7, 8), (std::vector<int32_t>{3, 3, 1, 3, 1, 0, 3, 3}));
}

TEST(Sampler, FollowsTheDistribution) {
  constexpr int kDraws = 20000;
  const float temperature = 2.0f;
  int counts[4] = {};
  for (const int32_t id : draws(temperature, 1, kDraws)) ++counts[id];
  const double total = 1 + std::exp(0.5) + std::exp(1.0);
  EXPECT_NEAR(counts[0], kDraws / total, 300);
  EXPECT_NEAR(counts[1], kDraws * std::exp(0.5) / total, 300);
  EXPECT_EQ(counts[2], 0);
  EXPECT_NEAR(counts[3], kDraws * std::exp(1.0) / total, 300);
}

TEST(Sampler, ExtremeTemperatures) {
  EXPECT_EQ(draws(1e-30f, 3, 50), std::vector<int32_t>(50, 3));
  for (const int32_t id : draws(1e30f, 3, 50)) EXPECT_NE(id, 2);
}

TEST(Sampler, RefusesLogitsWithoutAFiniteOne) {
  Sampler sampler({.temperature = 1.0f});
  EXPECT_FALSE(sampler.sample(std::vector<float>{-INFINITY, -INFINITY}).ok());
}

/// The ids that come up in many draws.
std::set<int32_t> support(Sampling sampling, const std::vector<float>& logits) {
  std::set<int32_t> ids;
  sampling.seed = 5;
  Sampler sampler(sampling);
  for (int i = 0; i < 1000; ++i) ids.insert(sampler.sample(logits).value());
  return ids;
}

/// Logits of the probabilities 0.1, 0.4, 0.1, 0.4 (in this order of ids), to a sharp cut.
const std::vector<float> kTwoAndTwo = {0.0f, std::log(4.0f), 0.0f, std::log(4.0f)};

TEST(Sampler, TopKKeepsTheLowestIdsAmongEquals) {
  const auto kept = [](int64_t k) {
    return support({.temperature = 1.0f, .top_k = k}, kTwoAndTwo);
  };
  EXPECT_EQ(kept(1), (std::set<int32_t>{1}));
  EXPECT_EQ(kept(2), (std::set<int32_t>{1, 3}));
  EXPECT_EQ(kept(3), (std::set<int32_t>{0, 1, 3}));
  for (const int64_t all : {int64_t{0}, int64_t{4}, int64_t{5}, INT64_MAX}) {
    EXPECT_EQ(kept(all).size(), 4u);
  }
}

TEST(Sampler, TopPKeepsTheSmallestSufficientSet) {
  const auto kept = [](float p) { return support({.temperature = 1.0f, .top_p = p}, kTwoAndTwo); };
  EXPECT_EQ(kept(1e-30f), (std::set<int32_t>{1}));
  EXPECT_EQ(kept(0.39f), (std::set<int32_t>{1}));
  EXPECT_EQ(kept(0.41f), (std::set<int32_t>{1, 3}));
  EXPECT_EQ(kept(0.79f), (std::set<int32_t>{1, 3}));
  EXPECT_EQ(kept(0.81f), (std::set<int32_t>{0, 1, 3}));
  EXPECT_EQ(kept(0.91f).size(), 4u);
  EXPECT_EQ(kept(1.0f).size(), 4u);
}

TEST(Sampler, TopPCountsWhatTopKLeaves) {
  // Of two equals, each has half: 0.45 of all four would need both.
  EXPECT_EQ(support({.temperature = 1.0f, .top_k = 2, .top_p = 0.45f}, kTwoAndTwo),
            (std::set<int32_t>{1}));
}

TEST(Sampler, MinPIsRelativeToTheLikeliest) {
  const auto kept = [](float p) { return support({.temperature = 1.0f, .min_p = p}, kTwoAndTwo); };
  EXPECT_EQ(kept(0.24f).size(), 4u);
  EXPECT_EQ(kept(0.26f), (std::set<int32_t>{1, 3}));
  EXPECT_EQ(kept(1.0f), (std::set<int32_t>{1, 3}));
}

TEST(Sampler, TemperatureComesBeforeTheCuts) {
  // At temperature 0.5 the probabilities are 1/34, 16/34, 1/34, 16/34.
  EXPECT_EQ(support({.temperature = 0.5f, .top_p = 0.92f}, kTwoAndTwo), (std::set<int32_t>{1, 3}));
  EXPECT_EQ(support({.temperature = 0.5f, .min_p = 0.1f}, kTwoAndTwo), (std::set<int32_t>{1, 3}));
}

TEST(Sampler, TheWindowOfASmallMinPHoldsAllThatWeighSomething) {
  const double half =
      -40 * std::log(2.0);  // a token 2^-40 times as likely as the best: half a unit
  const Sampling sampling = {.temperature = 1.0f, .min_p = 1e-30f};
  const double window = Sampler(sampling).need()->window;
  EXPECT_GT(window, -half);
  EXPECT_LT(window, -half + 1e-5);
  EXPECT_GT(Sampler({.temperature = 1.0f, .min_p = 1.0f}).need()->window, 0);
}

/// The cuts written down plainly: sort all, then cut.
std::set<int32_t> plain_support(const Sampling& sampling, const std::vector<float>& logits) {
  std::vector<int32_t> ids(logits.size());
  std::iota(ids.begin(), ids.end(), 0);
  std::stable_sort(ids.begin(), ids.end(), [&](int32_t a, int32_t b) {
    return logits[static_cast<size_t>(a)] > logits[static_cast<size_t>(b)];
  });
  if (sampling.top_k > 0) ids.resize(std::min(ids.size(), static_cast<size_t>(sampling.top_k)));
  const auto weight = [&](int32_t id) {
    const double below = logits[static_cast<size_t>(id)] - logits[static_cast<size_t>(ids[0])];
    return std::exp(below / sampling.temperature);
  };
  double total = 0.0;
  for (const int32_t id : ids) total += weight(id);
  std::set<int32_t> kept;
  double sum = 0.0;
  for (const int32_t id : ids) {
    if (sum >= sampling.top_p * total) break;
    sum += weight(id);
    if (weight(id) >= sampling.min_p) kept.insert(id);
  }
  return kept;
}

TEST(Sampler, CutsOfManyTokensAreThoseOfThePlainFormulas) {
  std::mt19937 random(3);
  std::vector<float> logits(200);
  for (float& logit : logits) logit = static_cast<float>(random() % 8) / 16.0f;  // many equals
  const Sampling cases[] = {
      {.temperature = 1.0f, .top_k = 130, .top_p = 0.5f},
      {.temperature = 1.0f, .top_p = 0.61f},
      {.temperature = 0.7f, .top_k = 180, .top_p = 0.33f, .min_p = 0.7f},
  };
  for (Sampling sampling : cases) {
    const std::set<int32_t> expected = plain_support(sampling, logits);
    std::set<int32_t> drawn;
    Sampler sampler(sampling);
    for (int i = 0; i < 4000; ++i) drawn.insert(sampler.sample(logits).value());
    EXPECT_EQ(drawn, expected);
  }
}

TEST(Penalties, FollowTheirFormulas) {
  const Sampling sampling = {.repetition_penalty = 2.0f,
                             .presence_penalty = 0.5f,
                             .frequency_penalty = 0.25f,
                             .logit_bias = {{3, 7.0f}, {1, -1.0f}}};
  Penalties penalties(sampling, std::vector<int32_t>{0, 1, 1, 1000});
  std::vector<float> scores = {4, -4, 4, 4, 0};
  penalties.apply(scores);
  // Prompt tokens are penalised once for repetition, and not for presence or frequency.
  EXPECT_EQ(scores, (std::vector<float>{2, -9, 4, 11, 0}));
  for (const int32_t id : {2, 2, 2, 0}) penalties.add(id);
  scores = {4, -4, 4, 4, 0};
  penalties.apply(scores);
  EXPECT_EQ(scores, (std::vector<float>{2 - 0.5 - 0.25, -9, 2 - 0.5 - 0.75, 11, 0}));
}

TEST(Penalties, LeaveFiniteScoresFinite) {
  Penalties penalties({.repetition_penalty = 3e38f}, std::vector<int32_t>{0, 1, 2, 3});
  std::vector<float> scores = {-2e38f, -INFINITY, 1e-30f, 5};
  penalties.apply(scores);
  EXPECT_EQ(scores[0], -std::numeric_limits<float>::max());
  EXPECT_EQ(scores[1], -INFINITY);
  EXPECT_GE(scores[2], 0);
  EXPECT_GT(scores[3], scores[2]);
  const Sampling least = {.temperature = 1.0f, .repetition_penalty = 1e-38f, .seed = 3};
  Sampler sampler(least, std::vector<int32_t>{0, 1});
  EXPECT_LE(sampler.sample(std::vector<float>{2, 3, 4}).value(), 1);  // both at the largest float
}

TEST(Penalties, AreSeenByTheGreedyChoice) {
  Sampler biased({.logit_bias = {{0, 2.0f}}});
  EXPECT_EQ(biased.sample(std::vector<float>{0, 1}).value(), 0);
  Sampler repeating({.presence_penalty = 1.5f});
  const std::vector<float> logits = {0, 1};
  EXPECT_EQ(repeating.sample(logits).value(), 1);
  EXPECT_EQ(repeating.sample(logits).value(), 0);
  Sampler prompted({.repetition_penalty = 3.0f}, std::vector<int32_t>{1});
  EXPECT_EQ(prompted.sample(std::vector<float>{0.5f, 1}).value(), 0);
}

}  // namespace
}  // namespace rsr::engine
