// Every kernel of the list against plain sums.
#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "base/aligned.h"
#include "kernels/scan/list.h"

namespace rsr::kernels {
namespace {

constexpr int32_t kUntouched = 123456789;

struct Problem {
  Problem(int64_t tile_count, int64_t step_count, uint32_t seed)
      : tiles(tile_count),
        steps(step_count),
        lines(static_cast<size_t>(tiles * steps * kScanLineBytes)),
        x(static_cast<size_t>(steps * kScanXBytes)),
        high(static_cast<size_t>(tiles * kScanTileRows), kUntouched),
        low(high) {
    std::mt19937 random(seed);
    for (auto& code : lines.span()) code = static_cast<uint8_t>(random());
    for (auto& v : x) v = static_cast<int8_t>(random());
  }

  ScanI8 params() { return {lines.data(), steps, x.data(), high.data(), low.data()}; }
  int64_t sum(int64_t row, int plane) const {
    int64_t total = 0;
    for (int64_t c = 0; c < steps * 4; ++c) {
      const int64_t line = row / 16 * steps + c / 4;
      total += int64_t{lines[static_cast<size_t>(line * 64 + row % 16 * 4 + c % 4)]} *
               x[static_cast<size_t>(c / 4 * 8 + 4 * plane + c % 4)];
    }
    return total;
  }

  int64_t tiles;
  int64_t steps;
  base::AlignedArray<uint8_t> lines;
  std::vector<int8_t> x;
  std::vector<int32_t> high;
  std::vector<int32_t> low;
};

TEST(Scan, EveryKernelGivesTheSums) {
  for (const auto& kernel : kScanI8) {
    if (!base::has_isa(kernel.isa)) continue;
    for (const int64_t tiles : {1, 2, 3, 4, 5, 7, 9, 14}) {
      for (const int64_t steps : {1, 2, 31, 32, 33, 48, 161}) {
        Problem problem(tiles, steps, static_cast<uint32_t>(tiles * 1000 + steps));
        kernel.function(problem.params(), 0, tiles);
        for (int64_t row = 0; row < tiles * 16; ++row) {
          const auto at = static_cast<size_t>(row);
          ASSERT_EQ(problem.high[at], problem.sum(row, 0)) << kernel.name << " " << steps;
          ASSERT_EQ(problem.low[at], problem.sum(row, 1)) << kernel.name << " " << steps;
        }
      }
    }
  }
}

TEST(Scan, OnlyTheGivenTilesAreWritten) {
  for (const auto& kernel : kScanI8) {
    if (!base::has_isa(kernel.isa)) continue;
    Problem problem(13, 5, 7);
    kernel.function(problem.params(), 2, 11);
    for (int64_t row = 0; row < 13 * 16; ++row) {
      const auto at = static_cast<size_t>(row);
      const bool given = row >= 2 * 16 && row < 11 * 16;
      EXPECT_EQ(problem.high[at], given ? problem.sum(row, 0) : kUntouched) << kernel.name;
      EXPECT_EQ(problem.low[at], given ? problem.sum(row, 1) : kUntouched) << kernel.name;
    }
  }
}

TEST(Scan, TheLargestSumsDoNotOverflow) {
  for (const auto& kernel : kScanI8) {
    if (!base::has_isa(kernel.isa)) continue;
    Problem problem(1, kScanMaxCols / 4, 1);
    std::fill_n(problem.lines.data(), problem.lines.size(), uint8_t{255});
    std::fill(problem.x.begin(), problem.x.end(), int8_t{-128});
    kernel.function(problem.params(), 0, 1);
    for (const int32_t sum : problem.high) EXPECT_EQ(sum, -255 * 128 * kScanMaxCols);
    EXPECT_EQ(problem.low, problem.high);
  }
}

}  // namespace
}  // namespace rsr::kernels
