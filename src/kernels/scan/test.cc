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
  Problem(int64_t tile_count, int64_t step_count, int64_t vectors, uint32_t seed)
      : tiles(tile_count),
        steps(step_count),
        batch(vectors),
        lines(static_cast<size_t>(tiles * steps * kScanLineBytes)),
        x(static_cast<size_t>(batch * steps * kScanXBytes)),
        high(static_cast<size_t>(batch * rows()), kUntouched),
        low(high) {
    std::mt19937 random(seed);
    for (auto& code : lines.span()) code = static_cast<uint8_t>(random());
    for (auto& v : x) v = static_cast<int8_t>(random());
  }

  int64_t rows() const { return tiles * kScanTileRows; }
  ScanI8 params() {
    return {lines.data(), steps, batch, x.data(), high.data(), low.data(), rows()};
  }
  int64_t sum(int64_t v, int64_t row, int plane) const {
    int64_t total = 0;
    for (int64_t c = 0; c < steps * 4; ++c) {
      const int64_t line = row / 16 * steps + c / 4;
      const int64_t x_step = v * steps + c / 4;
      total += int64_t{lines[static_cast<size_t>(line * 64 + row % 16 * 4 + c % 4)]} *
               x[static_cast<size_t>(x_step * 8 + 4 * plane + c % 4)];
    }
    return total;
  }
  /// Rows from `first` to `end` hold the sums, others are untouched.
  void expect_sums(int64_t first, int64_t end) const {
    for (int64_t v = 0; v < batch; ++v) {
      for (int64_t row = 0; row < rows(); ++row) {
        const auto at = static_cast<size_t>(v * rows() + row);
        const bool given = row >= first && row < end;
        ASSERT_EQ(high[at], given ? sum(v, row, 0) : kUntouched) << v << " " << row;
        ASSERT_EQ(low[at], given ? sum(v, row, 1) : kUntouched) << v << " " << row;
      }
    }
  }

  int64_t tiles;
  int64_t steps;
  int64_t batch;
  base::AlignedArray<uint8_t> lines;
  std::vector<int8_t> x;
  std::vector<int32_t> high;
  std::vector<int32_t> low;
};

TEST(Scan, EveryKernelGivesTheSums) {
  for (const auto& kernel : kScanI8) {
    if (!base::has_isa(kernel.isa)) continue;
    SCOPED_TRACE(kernel.name);
    for (const int64_t tiles : {1, 2, 3, 4, 5, 7, 9, 14}) {
      for (const int64_t steps : {1, 2, 31, 32, 33, 48, 161}) {
        Problem problem(tiles, steps, 1, static_cast<uint32_t>(tiles * 1000 + steps));
        kernel.function(problem.params(), 0, tiles);
        problem.expect_sums(0, tiles * kScanTileRows);
      }
    }
  }
}

TEST(Scan, VectorsDoNotMeet) {
  for (const auto& kernel : kScanI8) {
    if (!base::has_isa(kernel.isa)) continue;
    SCOPED_TRACE(kernel.name);
    for (int64_t batch = 1; batch <= kScanMostBatch; ++batch) {
      for (const int64_t steps : {1, 33, 70}) {
        Problem problem(6, steps, batch, static_cast<uint32_t>(batch));
        kernel.function(problem.params(), 0, 6);
        problem.expect_sums(0, problem.rows());
      }
    }
  }
}

TEST(Scan, OnlyTheGivenTilesAreWritten) {
  for (const auto& kernel : kScanI8) {
    if (!base::has_isa(kernel.isa)) continue;
    SCOPED_TRACE(kernel.name);
    Problem problem(13, 5, 2, 7);
    kernel.function(problem.params(), 2, 11);
    problem.expect_sums(2 * kScanTileRows, 11 * kScanTileRows);
  }
}

TEST(Scan, TheLargestSumsDoNotOverflow) {
  for (const auto& kernel : kScanI8) {
    if (!base::has_isa(kernel.isa)) continue;
    Problem problem(1, kScanMaxCols / 4, 1, 1);
    std::fill_n(problem.lines.data(), problem.lines.size(), uint8_t{255});
    std::fill(problem.x.begin(), problem.x.end(), int8_t{-128});
    kernel.function(problem.params(), 0, 1);
    for (const int32_t sum : problem.high) EXPECT_EQ(sum, -255 * 128 * kScanMaxCols);
    EXPECT_EQ(problem.low, problem.high);
  }
}

}  // namespace
}  // namespace rsr::kernels
