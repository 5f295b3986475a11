#include "engine/token_scores.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

#include "engine/moments.h"

namespace rsr::engine {
namespace {

using Floats = std::vector<float>;

/// ln of the softmax, plainly.
std::vector<long double> log_softmax(const Floats& logits) {
  const long double best = *std::max_element(logits.begin(), logits.end());
  long double sum = 0;
  for (const float x : logits) sum += std::exp(x - best);
  std::vector<long double> logs;
  for (const float x : logits) logs.push_back(x - best - std::log(sum));
  return logs;
}

Floats random_logits(uint32_t seed, size_t count, float spread) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0, spread);
  Floats logits(count);
  for (float& x : logits) x = normal(random);
  return logits;
}

TEST(TokenScores, OneModelByHand) {
  const Floats logits = {std::log(1.0f), std::log(2.0f), std::log(5.0f)};  // 1/8, 2/8, 5/8
  EXPECT_NEAR(score_token(logits, 0).nll, std::log(8.0), 1e-7);
  EXPECT_NEAR(score_token(logits, 1).nll, std::log(4.0), 1e-7);
  EXPECT_NEAR(score_token(logits, 2).nll, std::log(1.6), 1e-7);
  EXPECT_EQ(score_token(logits, 0).best, 2);
  EXPECT_EQ(score_token(Floats{1, 3, 3}, 0).best, 1);  // of equals the lowest id
  EXPECT_EQ(score_token(Floats{7}, 0).nll, 0);
}

TEST(TokenScores, TwoModelsByHand) {
  const Floats p = {0, 0};                            // 1/2, 1/2
  const Floats q = {std::log(1.0f), std::log(3.0f)};  // 1/4, 3/4
  const PairScore pair = score_pair(p, q, 0);
  EXPECT_NEAR(pair.reference.nll, std::log(2.0), 1e-7);
  EXPECT_NEAR(pair.other.nll, std::log(4.0), 1e-7);
  EXPECT_NEAR(pair.kl, 0.5 * std::log(2.0) + 0.5 * std::log(2.0 / 3.0), 1e-7);
  EXPECT_NEAR(score_pair(q, p, 0).kl, 0.25 * std::log(0.5) + 0.75 * std::log(1.5), 1e-7);
  EXPECT_EQ(pair.reference.best, 0);
  EXPECT_EQ(pair.other.best, 1);
  EXPECT_EQ(pair.logit_difference, static_cast<double>(std::log(3.0f)));
}

TEST(TokenScores, PlainFormulas) {
  for (uint32_t seed = 1; seed <= 20; ++seed) {
    const Floats p = random_logits(seed, 500, 4);
    const Floats q = random_logits(seed + 100, 500, 4);
    const auto p_logs = log_softmax(p);
    const auto q_logs = log_softmax(q);
    long double kl = 0;
    for (size_t i = 0; i < p.size(); ++i) kl += std::exp(p_logs[i]) * (p_logs[i] - q_logs[i]);
    const auto token = static_cast<int32_t>(seed * 7);
    const PairScore pair = score_pair(p, q, token);
    EXPECT_NEAR(pair.kl, static_cast<double>(kl), 1e-12);
    EXPECT_NEAR(pair.reference.nll, static_cast<double>(-p_logs[seed * 7]), 1e-12);
    EXPECT_NEAR(pair.other.nll, static_cast<double>(-q_logs[seed * 7]), 1e-12);
    // Together or alone: the same bits.
    EXPECT_EQ(pair.reference.nll, score_token(p, token).nll);
    EXPECT_EQ(pair.other.nll, score_token(q, token).nll);
  }
}

TEST(TokenScores, DivergenceIsZeroForEqualsAndNeverNegative) {
  for (uint32_t seed = 1; seed <= 200; ++seed) {
    const Floats p = random_logits(seed, 100, 10);
    Floats q = p;
    EXPECT_EQ(score_pair(p, q, 3).kl, 0);
    EXPECT_EQ(score_pair(p, q, 3).logit_difference, 0);
    for (float& x : q) x = std::nextafter(x, 1e9f);
    const double kl = score_pair(p, q, 3).kl;
    EXPECT_GE(kl, 0);
    EXPECT_LT(kl, 1e-10);
    for (size_t i = 0; i < q.size(); ++i) q[i] = p[i] + 1000;  // softmax does not see a shift
    EXPECT_LT(score_pair(p, q, 3).kl, 1e-6);
    EXPECT_NEAR(score_pair(p, q, 3).logit_difference, 1000, 1e-3);
  }
}

TEST(TokenScores, LargestFloats) {
  const Floats wide = {3e38f, -3e38f};
  EXPECT_EQ(score_token(wide, 0).nll, 0);
  EXPECT_NEAR(score_token(wide, 1).nll, 6e38, 1e32);
  const Floats turned = {-3e38f, 3e38f};
  EXPECT_NEAR(score_pair(wide, turned, 0).kl, 6e38, 1e32);
}

TEST(TokenScores, NotFiniteIsNotANumber) {
  const Floats good = {1, 2, 3};
  for (const float broken : {NAN, INFINITY, -INFINITY}) {
    for (size_t at = 0; at < 3; ++at) {
      Floats bad = good;
      bad[at] = broken;
      EXPECT_TRUE(std::isnan(score_token(bad, 0).nll));
      EXPECT_TRUE(std::isnan(score_pair(bad, good, 0).reference.nll));
      EXPECT_FALSE(std::isnan(score_pair(bad, good, 0).other.nll));
      EXPECT_TRUE(std::isnan(score_pair(good, bad, 0).other.nll));
      EXPECT_FALSE(std::isnan(score_pair(good, bad, 0).reference.nll));
    }
  }
}

TEST(Moments, SmallVarianceBesideALargeMean) {
  Moments moments;
  for (const double x : {1e9 + 1, 1e9 + 2, 1e9 + 3, 1e9 + 6}) moments.add(x);
  EXPECT_EQ(moments.count(), 4);
  EXPECT_DOUBLE_EQ(moments.mean(), 1e9 + 3);
  EXPECT_NEAR(moments.error(), std::sqrt((4.0 + 1 + 0 + 9) / 3 / 4), 1e-9);
}

}  // namespace
}  // namespace rsr::engine
