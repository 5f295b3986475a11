#include "segment/column_groups.h"

#include <gtest/gtest.h>

#include <set>

#include "segment/test_matrices.h"

namespace rsr::segment {
namespace {

// The dense matrix that an index describes.
std::vector<int8_t> expand(const ColumnGroups& g) {
  std::vector<int8_t> w(static_cast<size_t>(g.rows * g.cols), 0);
  for (int64_t cell = 0; cell < g.cell_count(); ++cell) {
    const int64_t row = cell / g.tile_count() * g.k;
    const int64_t first = cell % g.tile_count() * g.tile_cols;
    int64_t place = 0;
    for (int64_t group = g.cell_groups[cell]; group < g.cell_groups[cell + 1]; ++group) {
      for (; place <= g.lasts[group]; ++place) {
        const int64_t column = first + g.columns[g.cell_columns[cell] + place];
        for (int r = 0; r < 16; ++r) {
          const uint32_t p = g.patterns[group];
          const int digit = static_cast<int>(p >> r & 1u) - static_cast<int>(p >> (16 + r) & 1u);
          if (digit != 0) w[(row + r) * g.cols + column] = static_cast<int8_t>(digit);
        }
      }
    }
  }
  return w;
}

void expect_round_trip(const TestMatrix& m, const BuildOptions& options) {
  const Result<ColumnGroups> groups = build(m.source(), m.rows, m.cols, options);
  ASSERT_TRUE(groups.ok()) << groups.status().message();
  const Status status = validate(*groups);
  ASSERT_TRUE(status.ok()) << status.message();
  EXPECT_EQ(expand(*groups), m.w) << m.rows << " x " << m.cols << " k " << options.k;
}

TEST(ColumnGroups, HasTheDocumentedLayout) {
  const TestMatrix m{3, 4, Alphabet::ternary, {1, 0, 1, 0, -1, 0, -1, 1, 1, 1, 0, 0}};
  const ColumnGroups g =
      build(m.source(), 3, 4, {Alphabet::ternary, Order::pattern_value, 2, 0}).value();
  EXPECT_EQ(g.block_count(), 2);
  EXPECT_EQ(g.tile_count(), 1);
  EXPECT_EQ(g.block_rows(0), 2);
  EXPECT_EQ(g.block_rows(1), 1);
  // Block 0: columns 0 and 2 are (+1, -1), column 3 is (0, +1), column 1 is all zero.
  EXPECT_EQ(g.cell_groups, (std::vector<int64_t>{0, 2, 3}));
  EXPECT_EQ(g.cell_columns, (std::vector<int64_t>{0, 3, 5}));
  EXPECT_EQ(g.patterns, (std::vector<uint32_t>{0x2, 0x20001, 0x1}));
  EXPECT_EQ(g.lasts, (std::vector<uint16_t>{0, 2, 1}));
  EXPECT_EQ(g.columns, (std::vector<uint16_t>{3, 0, 2, 0, 1}));
  EXPECT_EQ(g.nbytes(), 6 * 8 + 3 * 4 + 3 * 2 + 5 * 2);
}

TEST(ColumnGroups, DescribesTheMatrixForAllK) {
  for (const Alphabet alphabet : kAlphabets) {
    for (const Order order : {Order::pattern_value, Order::gray_rank}) {
      for (int k = 1; k <= 16; ++k) {
        expect_round_trip(random_matrix(35, 300, alphabet, 0.3, k), {alphabet, order, k, 0});
        expect_round_trip(random_matrix(17, 41, alphabet, 0.5, k), {alphabet, order, k, 7});
      }
    }
  }
}

TEST(ColumnGroups, DescribesEveryShareOfZeros) {
  for (const Alphabet alphabet : kAlphabets) {
    for (const double zeros : {0.0, 0.1, 0.5, 0.9, 0.999, 1.0}) {
      expect_round_trip(random_matrix(20, 513, alphabet, zeros, 3),
                        {alphabet, Order::gray_rank, 6, 200});
    }
  }
}

TEST(ColumnGroups, CutsWideMatricesIntoTiles) {
  for (const int64_t cols : {int64_t{65535}, int64_t{65536}, int64_t{65539}, int64_t{70000}}) {
    const TestMatrix m = random_matrix(3, cols, Alphabet::ternary, 0.3, 9);
    expect_round_trip(m, {Alphabet::ternary, Order::pattern_value, 2, 0});
  }
}

TEST(ColumnGroups, TakesNoRows) {
  const TestMatrix m{0, 5, Alphabet::binary, {}};
  expect_round_trip(m, {Alphabet::binary, Order::pattern_value, 4, 0});
}

TEST(ColumnGroups, NamesBadValues) {
  TestMatrix m = random_matrix(9, 20, Alphabet::ternary, 0.3, 1);
  m.w[7 * 20 + 13] = 2;
  Result<ColumnGroups> g =
      build(m.source(), 9, 20, {Alphabet::ternary, Order::pattern_value, 4, 0});
  ASSERT_FALSE(g.ok());
  EXPECT_EQ(g.status().message(), "value at row 7, column 13 is 2, not -1, 0 or +1");
  m.w[7 * 20 + 13] = -1;
  m.w[0] = -1;
  g = build(m.source(), 9, 20, {Alphabet::binary, Order::pattern_value, 4, 0});
  ASSERT_FALSE(g.ok());
  EXPECT_EQ(g.status().message(), "value at row 0, column 0 is -1, not 0 or 1");
  for (const int bad : {-128, -2, 3, 127}) {
    m.w[0] = static_cast<int8_t>(bad);
    EXPECT_FALSE(build(m.source(), 9, 20, {Alphabet::ternary, Order::gray_rank, 9, 0}).ok()) << bad;
  }
}

TEST(ColumnGroups, RefusesBadOptionsAndShapes) {
  const RowSource zeros = [](int64_t, int8_t* out) { out[0] = 0; };
  const auto refused = [&](int64_t rows, int64_t cols, int k, int64_t tile) {
    return !build(zeros, rows, cols, {Alphabet::binary, Order::pattern_value, k, tile}).ok();
  };
  EXPECT_FALSE(refused(1, 1, 1, 1));
  EXPECT_TRUE(refused(1, 1, 0, 1));
  EXPECT_TRUE(refused(1, 1, 17, 1));
  EXPECT_TRUE(refused(1, 1, -1, 1));
  EXPECT_TRUE(refused(1, 1, 1, -1));
  EXPECT_TRUE(refused(1, 1, 1, 65537));
  EXPECT_TRUE(refused(-1, 1, 1, 1));
  EXPECT_TRUE(refused(1, 0, 1, 1));
  EXPECT_TRUE(refused(1, 16'777'216, 1, 0));
  EXPECT_TRUE(refused(int64_t{1} << 60, 1, 1, 0));
}

// Every pattern of k digits.
std::vector<uint32_t> all_patterns(int k, Alphabet alphabet) {
  std::vector<uint32_t> patterns = {0};
  for (int r = 0; r < k; ++r) {
    const size_t size = patterns.size();
    for (size_t i = 0; i < size; ++i) {
      patterns.push_back(patterns[i] | 1u << r);
      if (alphabet == Alphabet::ternary) patterns.push_back(patterns[i] | 1u << (16 + r));
    }
  }
  return patterns;
}

int digit(uint32_t pattern, int r) {
  return static_cast<int>(pattern >> r & 1u) - static_cast<int>(pattern >> (16 + r) & 1u);
}

TEST(GrayRank, NeighboursDifferByOneInOneRow) {
  for (const Alphabet alphabet : kAlphabets) {
    for (int k = 1; k <= (alphabet == Alphabet::binary ? 10 : 6); ++k) {
      std::vector<uint32_t> at;
      const std::vector<uint32_t> patterns = all_patterns(k, alphabet);
      at.resize(patterns.size(), ~0u);
      for (const uint32_t p : patterns) {
        const uint32_t rank = gray_rank(p, k, alphabet);
        ASSERT_LT(rank, at.size());
        ASSERT_EQ(at[rank], ~0u) << "rank " << rank << " twice";
        at[rank] = p;
      }
      for (size_t i = 1; i < at.size(); ++i) {
        int change = 0;
        for (int r = 0; r < k; ++r) change += std::abs(digit(at[i], r) - digit(at[i - 1], r));
        ASSERT_EQ(change, 1) << "rank " << i;
      }
      const uint32_t digits = (1u << k) - 1;
      const bool binary = alphabet == Alphabet::binary;
      EXPECT_EQ(at.front(), binary ? 0 : digits << 16);
      EXPECT_EQ(at.back(), binary ? 1u << (k - 1) : digits);
    }
  }
}

class Broken : public testing::Test {
 protected:
  // Two blocks of 3 and 1 rows, two tiles of 5 and 2 columns.
  Broken() {
    const TestMatrix m{4, 7, Alphabet::ternary, {1, 0, 1, 0, 0, 1,  1,  -1, 0, -1, 0, 1, 0, 0,
                                                 0, 1, 0, 0, 1, -1, -1, 1,  1, 0,  0, 1, 0, 1}};
    good_ = build(m.source(), 4, 7, {Alphabet::ternary, Order::pattern_value, 3, 5}).value();
  }
  template <class Change>
  void expect_refused(const char* what, const Change& change) {
    ColumnGroups g = good_;
    change(g);
    EXPECT_FALSE(validate(g).ok()) << what;
  }
  ColumnGroups good_;
};

TEST_F(Broken, IndexIsRefused) {
  ASSERT_TRUE(validate(good_).ok());
  using G = ColumnGroups;
  expect_refused("k 0", [](G& g) { g.k = 0; });
  expect_refused("k 17", [](G& g) { g.k = 17; });
  expect_refused("other k", [](G& g) { g.k = 2; });
  expect_refused("negative rows", [](G& g) { g.rows = -1; });
  expect_refused("no columns", [](G& g) { g.cols = 0; });
  expect_refused("huge rows", [](G& g) { g.rows = INT64_MAX; });
  expect_refused("tile 0", [](G& g) { g.tile_cols = 0; });
  expect_refused("tile 2^17", [](G& g) { g.tile_cols = 1 << 17; });
  expect_refused("alphabet", [](G& g) { g.alphabet = static_cast<Alphabet>(2); });
  expect_refused("binary with -1", [](G& g) { g.alphabet = Alphabet::binary; });
  expect_refused("order", [](G& g) { g.order = Order::gray_rank; });
  expect_refused("a cell too few", [](G& g) { g.cell_groups.pop_back(); });
  expect_refused("range start", [](G& g) { g.cell_groups[0] = 1; });
  expect_refused("range end", [](G& g) { ++g.cell_columns.back(); });
  expect_refused("range falls", [](G& g) { g.cell_columns[1] = g.cell_columns[2] + 1; });
  expect_refused("a last too few", [](G& g) { g.lasts.pop_back(); });
  expect_refused("pattern 0", [](G& g) { g.patterns[0] = 0; });
  expect_refused("pattern both", [](G& g) { g.patterns.back() = 0x10001; });
  expect_refused("pattern row", [](G& g) { g.patterns.back() = 2; });
  expect_refused("groups swapped", [](G& g) { std::swap(g.patterns[0], g.patterns[1]); });
  expect_refused("equal groups", [](G& g) { g.patterns[1] = g.patterns[0]; });
  expect_refused("last too large", [](G& g) { g.lasts[0] = 60000; });
  expect_refused("empty group", [](G& g) { g.lasts[1] = g.lasts[0]; });
  expect_refused("columns left over", [](G& g) { --g.lasts[g.cell_groups[1] - 1]; });
  expect_refused("column outside", [](G& g) { g.columns.back() = 2; });
  expect_refused("column twice", [](G& g) { g.columns[1] = g.columns[0]; });
}

TEST(ColumnGroups, FormsAllPatternsAtMostOnce) {
  const TestMatrix m = random_matrix(16, 5000, Alphabet::ternary, 0.3, 5);
  const ColumnGroups g =
      build(m.source(), 16, 5000, {Alphabet::ternary, Order::gray_rank, 4, 0}).value();
  for (int64_t cell = 0; cell < g.cell_count(); ++cell) {
    const std::set<uint32_t> distinct(g.patterns.begin() + g.cell_groups[cell],
                                      g.patterns.begin() + g.cell_groups[cell + 1]);
    EXPECT_EQ(distinct.size(), 80u);
  }
}

}  // namespace
}  // namespace rsr::segment
