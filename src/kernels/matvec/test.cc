// Every kernel of the list against a plain product, bit for bit.
#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

#include "base/aligned.h"
#include "kernels/matvec/list.h"

namespace rsr::kernels {
namespace {

/// Random codes and inputs of a t2 product, and the exact result.
struct Problem {
  int64_t tiles;
  int64_t steps;
  int64_t batch;
  base::AlignedArray<uint8_t> codes;
  std::vector<int8_t> x;
  std::vector<int32_t> x_sums;
  std::vector<int64_t> expected;  // [batch][tiles * 16]

  Problem(int64_t tile_count, int64_t step_count, int64_t tokens, int fixed_code, int fixed_x)
      : tiles(tile_count),
        steps(step_count),
        batch(tokens),
        codes(tiles * steps * kT2LineBytes),
        x(batch * steps * kT2Cols),
        x_sums(batch),
        expected(batch * tiles * kT2Rows) {
    std::mt19937 random(7);
    for (uint8_t& byte : codes.span()) {
      byte = 0;
      for (int f = 0; f < 4; ++f) {
        const auto code = static_cast<unsigned>(fixed_code >= 0 ? static_cast<uint64_t>(fixed_code)
                                                                : random() % 3);
        byte = static_cast<uint8_t>(byte | code << (2 * f));
      }
    }
    for (size_t i = 0; i < x.size(); ++i) {
      x[i] = static_cast<int8_t>(fixed_x != 0 ? fixed_x : static_cast<int>(random() % 256) - 128);
      x_sums[i / (steps * kT2Cols)] += x[i];
    }
    fill_expected();
  }

  int value(int64_t row, int64_t col) const {
    const int64_t line = row / 16 * steps + col / 16;
    const uint8_t byte = codes[line * 64 + row % 16 * 4 + col % 4];
    return ((byte >> (2 * (col % 16 / 4))) & 3) - 1;
  }

  void fill_expected() {
    const int64_t rows = tiles * kT2Rows;
    const int64_t cols = steps * kT2Cols;
    for (int64_t t = 0; t < batch; ++t) {
      for (int64_t r = 0; r < rows; ++r) {
        for (int64_t c = 0; c < cols; ++c) expected[t * rows + r] += value(r, c) * x[t * cols + c];
      }
    }
  }
};

void expect_exact(const Problem& problem) {
  const int64_t rows = problem.tiles * kT2Rows;
  for (const auto& kernel : kMatvecT2I8) {
    if (kernel.isa > base::detect_isa()) continue;
    std::vector<int32_t> y(problem.expected.size(), 12345);
    const MatvecT2I8 p{problem.codes.data(),
                       problem.steps * kT2LineBytes,
                       problem.steps,
                       problem.x.data(),
                       problem.steps * kT2Cols,
                       problem.x_sums.data(),
                       problem.batch,
                       y.data(),
                       rows};
    kernel.function(p, 0, problem.tiles);
    for (size_t i = 0; i < y.size(); ++i) {
      ASSERT_EQ(y[i], problem.expected[i]) << kernel.name << " at " << i;
    }
  }
}

TEST(MatvecT2I8, RandomShapes) {
  for (const int64_t tiles : {1, 2, 5}) {
    for (const int64_t steps : {1, 2, 15, 16, 31, 64}) {
      for (const int64_t batch : {1, 2, 3, 4, 5, 9}) {
        expect_exact(Problem(tiles, steps, batch, -1, 0));
      }
    }
  }
}

TEST(MatvecT2I8, ExtremesOfTheAccumulators) {
  for (const int code : {0, 1, 2}) {
    for (const int x : {-128, 127}) expect_exact(Problem(1, 61, 2, code, x));
  }
}

// More columns than one run of the scaled accumulators may take, with the worst input.
TEST(MatvecT2I8, MoreStepsThanAnAccumulatorHolds) {
  for (const int x : {-128, 127}) expect_exact(Problem(1, 2 * kT2MaxSteps + 3, 1, 2, x));
}

TEST(MatvecT2I8, OnlyTheGivenTilesAreWritten) {
  const Problem problem(4, 3, 1, -1, 0);
  for (const auto& kernel : kMatvecT2I8) {
    if (kernel.isa > base::detect_isa()) continue;
    std::vector<int32_t> y(64, 12345);
    const MatvecT2I8 p{problem.codes.data(),
                       3 * kT2LineBytes,
                       3,
                       problem.x.data(),
                       3 * kT2Cols,
                       problem.x_sums.data(),
                       1,
                       y.data(),
                       64};
    kernel.function(p, 1, 3);
    for (int i = 0; i < 64; ++i) {
      EXPECT_EQ(y[i], i < 16 || i >= 48 ? 12345 : problem.expected[i]) << kernel.name;
    }
  }
}

TEST(MatvecT2F32, AllInstructionSetsGiveTheBitsOfTheReference) {
  for (const int64_t steps : {1, 3, 4, 5, 40}) {
    const Problem problem(3, steps, 3, -1, 0);
    std::mt19937 random(3);
    std::normal_distribution<float> normal;
    std::vector<float> x(problem.x.size());
    for (float& v : x) v = normal(random);
    const int64_t rows = problem.tiles * kT2Rows;
    std::vector<float> reference(problem.expected.size());
    for (const auto& kernel : kMatvecT2F32) {
      if (kernel.isa > base::detect_isa()) continue;
      std::vector<float> y(reference.size());
      const MatvecT2F32 p{problem.codes.data(),
                          steps * kT2LineBytes,
                          steps,
                          x.data(),
                          steps * kT2Cols,
                          3,
                          y.data(),
                          rows};
      kernel.function(p, 0, problem.tiles);
      if (kernel.isa == base::Isa::reference) reference = y;
      EXPECT_EQ(y, reference) << kernel.name;
    }
    // A run of 64 columns rounds 63 times, then one addition per run: (63 + steps / 4) roundings.
    const int64_t cols = steps * kT2Cols;
    for (int64_t t = 0; t < 3; ++t) {
      for (int64_t r = 0; r < rows; ++r) {
        double sum = 0;
        double magnitude = 0;
        for (int64_t c = 0; c < cols; ++c) {
          const double term = problem.value(r, c) * static_cast<double>(x[t * cols + c]);
          sum += term;
          magnitude += std::fabs(term);
        }
        const double bound = (64 + static_cast<double>(steps) / 4) * 0x1p-24 * magnitude;
        EXPECT_NEAR(reference[t * rows + r], sum, bound);
      }
    }
  }
}

}  // namespace
}  // namespace rsr::kernels
