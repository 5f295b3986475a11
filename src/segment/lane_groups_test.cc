#include "segment/lane_groups.h"

#include <gtest/gtest.h>

#include <cmath>

#include "segment/cost.h"
#include "segment/lane_forms.h"
#include "segment/oracle.h"
#include "segment/test_matrices.h"

namespace rsr::segment {
namespace {

constexpr Form kLaneForms[] = {Form::scatter, Form::fold};

LaneGroups lanes_of(const TestMatrix& m, int k, int64_t tile_cols = 0) {
  BuildOptions options;
  options.alphabet = m.alphabet;
  options.k = k;
  options.tile_cols = tile_cols;
  return *build_lanes(m.source(), m.rows, m.cols, options, 1e9).value();
}

/// The product by the index's definition: slot by slot, then the form.
template <class Sum, class X>
std::vector<Sum> product(const LaneGroups& g, Form form, const std::vector<X>& x) {
  const LaneForm rows_of(form, g.alphabet, g.k);
  std::vector<Sum> y;
  for (int64_t block = 0; block < g.block_count(); ++block) {
    Sum sums[kMaxLanes] = {};
    for (int64_t tile = 0; tile < g.tile_count(); ++tile) {
      const int64_t cell = block * g.tile_count() + tile;
      for (int64_t round = g.cell_rounds[cell]; round < g.cell_rounds[cell + 1]; ++round) {
        const uint8_t* slots = g.slots.data() + round * g.round_bytes();
        for (int64_t i = 0; i < g.round_bytes(); ++i) {
          if (slots[i] == kNoColumn) continue;
          const int64_t column = tile * g.tile_cols + g.starts[round] + slots[i];
          sums[i / kSlotsOfLane] += static_cast<Sum>(x.at(static_cast<size_t>(column)));
        }
      }
    }
    Sum rows[kMaxBlockRows] = {};
    rows_of.rows(sums, rows);
    y.insert(y.end(), rows, rows + g.block_rows(block));
  }
  return y;
}

void expect_right(const TestMatrix& m, const LaneGroups& g, uint32_t seed) {
  ASSERT_TRUE(validate(g).ok()) << validate(g).message();
  const std::vector<int8_t> x = random_int8(m.cols, seed);
  const std::vector<float> floats = random_floats(m.cols, seed);
  const std::vector<int64_t> expected = dense_product(m.w, x);
  const std::vector<double> near = dense_product(m.w, floats);
  double all = 0;
  for (const float v : floats) all += std::abs(double{v});
  for (const Form form : kLaneForms) {
    const auto y = product<uint32_t>(g, form, x);
    const auto y_floats = product<double>(g, form, floats);
    for (size_t r = 0; r < expected.size(); ++r) {
      ASSERT_EQ(static_cast<int32_t>(y[r]), expected[r]) << to_string(form) << " k " << g.k;
      ASSERT_NEAR(y_floats[r], near[r], 1e-10 * all) << to_string(form) << " k " << g.k;
    }
  }
}

TEST(LaneGroups, EveryPatternHasItsLane) {
  for (const Alphabet alphabet : kAlphabets) {
    for (int k = 1; k <= max_lane_k(alphabet); ++k) {
      ASSERT_LE(lane_lines(alphabet, k), kMaxLaneLines);
      std::vector<int> seen(81);
      for (int lane = 0; lane < lane_lines(alphabet, k) * kLanesOfLine; ++lane) {
        const int code = lane_code(alphabet, k, lane);
        bool zero = true;
        for (int r = 0; r < k; ++r) zero = zero && code_digit(alphabet, code, r) == 0;
        EXPECT_FALSE(zero);
        ++seen[code];
      }
      const int patterns = static_cast<int>(std::pow(alphabet == Alphabet::binary ? 2 : 3, k));
      EXPECT_EQ(std::count(seen.begin(), seen.begin() + patterns, 0), 1);
    }
  }
}

TEST(LaneGroups, AreRightForEveryKAndShape) {
  uint32_t seed = 1;
  for (const Alphabet alphabet : kAlphabets) {
    for (int k = 1; k <= max_lane_k(alphabet); ++k) {
      for (const int64_t cols : {1, 5, 254, 255, 256, 300, 900}) {
        for (const int64_t tile : {0, 64, 255, 270}) {
          const TestMatrix m = random_matrix(2 * k + 1, cols, alphabet, 0.33, ++seed);
          expect_right(m, lanes_of(m, k, tile), seed);
        }
      }
    }
  }
}

TEST(LaneGroups, AreRightForEveryShareOfZeros) {
  for (const Alphabet alphabet : kAlphabets) {
    for (int tenths = 0; tenths <= 10; ++tenths) {
      const TestMatrix m = random_matrix(21, 1100, alphabet, tenths / 10.0, 13);
      for (const int k : {3, 4}) expect_right(m, lanes_of(m, k), 17);
    }
  }
}

TEST(LaneGroups, AreRightForEqualColumnsAndForWideMatrices) {
  for (const Alphabet alphabet : kAlphabets) {
    TestMatrix equal{8, 600, alphabet, std::vector<int8_t>(8 * 600, int8_t{1})};
    expect_right(equal, lanes_of(equal, 4), 3);
    const TestMatrix wide = random_matrix(5, 70'000, alphabet, 0.33, 19);
    expect_right(wide, lanes_of(wide, 4), 23);
  }
}

TEST(LaneGroups, TakeTheBitsThatAreEstimated) {
  for (const Alphabet alphabet : kAlphabets) {
    const TestMatrix m =
        random_matrix(120, 6000, alphabet, alphabet == Alphabet::binary ? 0.5 : 1.0 / 3, 29);
    for (int k = 2; k <= max_lane_k(alphabet); ++k) {
      const double bits = 8.0 * static_cast<double>(lanes_of(m, k).nbytes()) / (120 * 6000);
      EXPECT_NEAR(bits / lane_bits(alphabet, k, 6000), 1, 0.2) << to_string(alphabet) << " k " << k;
    }
  }
}

TEST(LaneGroups, AreRefusedWhereOneLaneTakesAll) {
  // One digit in each column: binary patterns of one digit are no sum of others.
  TestMatrix m{60, 60'000, Alphabet::binary, std::vector<int8_t>(60 * 60'000)};
  for (int64_t row = 0; row < m.rows; row += 6) {
    std::fill_n(m.w.begin() + row * m.cols, m.cols, int8_t{1});
  }
  const BuildOptions options{.alphabet = Alphabet::binary, .k = 6};
  EXPECT_FALSE(build_lanes(m.source(), m.rows, m.cols, options, 6).value());
  EXPECT_TRUE(build_lanes(m.source(), m.rows, m.cols, options, 1000).value());
}

TEST(LaneGroups, NameWhatIsWrong) {
  TestMatrix m = random_matrix(9, 20, Alphabet::ternary, 0.3, 31);
  m.w[5 * 20 + 7] = 2;
  const auto bad = build_lanes(m.source(), 9, 20, {.k = 4}, 100);
  EXPECT_EQ(bad.status().message(), "value at row 5, column 7 is 2, not -1, 0 or +1");
  EXPECT_FALSE(build_lanes(m.source(), 9, 20, {.k = 5}, 100).ok());
  EXPECT_FALSE(build_lanes(m.source(), 9, 0, {.k = 4}, 100).ok());
  EXPECT_FALSE(build_lanes(m.source(), 9, 20, {.k = 4, .tile_cols = 65'537}, 100).ok());
}

TEST(LaneGroups, ChosenKIsTheMeasuredBest) {
  EXPECT_EQ(choose_lane_k(Alphabet::ternary, 4096, 14'336), 4);
  EXPECT_EQ(choose_lane_k(Alphabet::binary, 4096, 14'336), 5);
  EXPECT_EQ(choose_lane_k(Alphabet::ternary, 3, 14'336), 3);
  EXPECT_EQ(choose_lane_k(Alphabet::binary, 0, 1), 1);
}

}  // namespace
}  // namespace rsr::segment
