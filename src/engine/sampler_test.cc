#include "engine/sampler.h"

#include <gtest/gtest.h>

#include <cmath>

namespace rsr::engine {
namespace {

TEST(Sampler, GreedyTakesTheLowestIdAmongEquals) {
  Sampler sampler(0.0f, 1);
  EXPECT_EQ(sampler.sample(std::vector<float>{-3, 2, 1, 2}).value(), 1);
  EXPECT_EQ(sampler.sample(std::vector<float>{-INFINITY, -5}).value(), 1);
}

TEST(Sampler, RefusesNanAndInfinity) {
  for (const float bad : {NAN, INFINITY}) {
    for (const float temperature : {0.0f, 1.0f}) {
      Sampler sampler(temperature, 1);
      const auto result = sampler.sample(std::vector<float>{0, bad, 1});
      ASSERT_FALSE(result.ok());
      EXPECT_NE(result.status().message().find("token 1"), std::string::npos);
    }
  }
}

std::vector<int32_t> draws(float temperature, uint64_t seed, int count) {
  Sampler sampler(temperature, seed);
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

}  // namespace
}  // namespace rsr::engine
