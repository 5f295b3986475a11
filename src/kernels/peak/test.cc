// Every kernel of the list does all its rounds, with the dot product that it names.
#include <gtest/gtest.h>

#include "kernels/peak/list.h"

namespace rsr::kernels {
namespace {

TEST(PeakI8, EveryRoundIsAdded) {
  for (const auto& kernel : kPeakI8) {
    if (!base::has_isa(kernel.isa)) continue;
    for (const int64_t rounds : {0, 1, 7, 1000}) {
      PeakI8 p{.rounds = rounds, .a = 100, .b = -127};
      kernel.function(p);
      EXPECT_EQ(p.lane, rounds * 4 * 100 * -127) << kernel.name << ", " << rounds << " rounds";
      EXPECT_EQ(p.multiply_adds == 0, rounds == 0) << kernel.name;
    }
  }
}

TEST(PeakPairsI8, EveryRoundIsAdded) {
  for (const auto& kernel : kPeakPairsI8) {
    if (!base::has_isa(kernel.isa)) continue;
    for (const int64_t rounds : {0, 1, 7, 1000}) {
      PeakI8 p{.rounds = rounds, .a = 100, .b = -127};
      kernel.function(p);
      EXPECT_EQ(p.lane, static_cast<int16_t>(rounds * 2 * 100 * -127)) << kernel.name;
      EXPECT_EQ(p.multiply_adds == 0, rounds == 0) << kernel.name;
    }
  }
}

TEST(PeakTilesI8, EveryRoundIsAdded) {
  for (const auto& kernel : kPeakTilesI8) {
    if (!base::has_isa(kernel.isa)) continue;
    for (const int64_t rounds : {0, 1, 7, 1000}) {
      PeakI8 p{.rounds = rounds, .a = 100, .b = -127};
      kernel.function(p);
      EXPECT_EQ(p.lane, rounds * 64 * 100 * -127) << kernel.name << ", " << rounds << " rounds";
      EXPECT_EQ(p.multiply_adds == 0, rounds == 0) << kernel.name;
    }
  }
}

TEST(PeakF32, EveryRoundIsAdded) {
  for (const auto& kernel : kPeakF32) {
    if (!base::has_isa(kernel.isa)) continue;
    for (const int64_t rounds : {0, 1, 7, 1000}) {
      PeakF32 p{.rounds = rounds, .a = 0.5f, .b = -3.0f};
      kernel.function(p);
      EXPECT_EQ(p.lane, static_cast<float>(rounds) * -1.5f) << kernel.name;
      EXPECT_EQ(p.multiply_adds == 0, rounds == 0) << kernel.name;
    }
  }
}

}  // namespace
}  // namespace rsr::kernels
