#include "base/token_weight.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace rsr::base {
namespace {

TEST(TokenWeight, IsTheNearestInteger) {
  EXPECT_EQ(token_weight(0, 1e-30), kFullWeight);
  EXPECT_EQ(token_weight(-0.0, 1e30), kFullWeight);
  EXPECT_EQ(token_weight(-1e-300, 1), kFullWeight);
  EXPECT_EQ(token_weight(-INFINITY, 1e38), 0u);
  EXPECT_EQ(token_weight(-1e30, 0.5), 0u);
  const double half = 40 * std::log(2.0);
  EXPECT_EQ(token_weight(-half - 1e-9, 1), 0u);
  EXPECT_EQ(token_weight(-half + 1e-9, 1), 1u);
  for (const double below : {0.1, 1.0, 3.7, 20.0}) {
    for (const double temperature : {0.3, 1.0, 5.0}) {
      const double exact = std::exp(-below / temperature) * 0x1p39;
      EXPECT_NEAR(static_cast<double>(token_weight(-below, temperature)), exact, 0.501);
    }
  }
}

TEST(PartOf, IsTheWholeProductsUpperHalf) {
  std::mt19937_64 random(3);
  const auto check = [](uint64_t fraction, uint64_t sum) {
    __extension__ using Wide = unsigned __int128;
    const Wide product = Wide{fraction} * sum;
    EXPECT_EQ(part_of(fraction, sum), static_cast<uint64_t>(product >> 64));
    EXPECT_EQ(part_or_more_of(fraction, sum), static_cast<uint64_t>((product + UINT64_MAX) >> 64));
  };
  for (int i = 0; i < 1000; ++i) check(random() >> random() % 64, random() >> random() % 64);
  const uint64_t ends[] = {0, 1, UINT64_MAX, uint64_t{1} << 63, kFullWeight};
  for (const uint64_t fraction : ends) {
    for (const uint64_t sum : ends) {
      if (fraction < UINT64_MAX || sum < UINT64_MAX) check(fraction, sum);
    }
  }
  EXPECT_EQ(part_of(UINT64_MAX, kFullWeight), kFullWeight - 1);
}

}  // namespace
}  // namespace rsr::base
