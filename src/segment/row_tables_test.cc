#include "segment/row_tables.h"

#include <gtest/gtest.h>

#include "segment/oracle.h"
#include "segment/test_matrices.h"

namespace rsr::segment {
namespace {

template <class X, class Y>
std::vector<Y> product(const RowTables& tables, const std::vector<X>& x, int64_t parts) {
  std::vector<Y> y(static_cast<size_t>(tables.rows));
  for (int64_t p = 0; p < parts; ++p) {
    const base::Range rows{tables.rows * p / parts, tables.rows * (p + 1) / parts};
    std::vector<Sum<X>> scratch(static_cast<size_t>(rows.end - rows.begin));
    multiply_rows(tables, x.data(), rows, scratch.data(), y.data());
  }
  return y;
}

void expect_products(const TestMatrix& m, int group_cols, uint32_t seed) {
  const Result<RowTables> tables =
      build_row_tables(m.source(), m.rows, m.cols, m.alphabet, group_cols);
  ASSERT_TRUE(tables.ok()) << tables.status().message();
  const std::vector<int8_t> xi = random_int8(m.cols, seed);
  const std::vector<int64_t> exact = dense_product(m.w, xi);
  const auto yi = product<int8_t, int32_t>(*tables, xi, 3);
  EXPECT_TRUE(std::equal(yi.begin(), yi.end(), exact.begin(), exact.end()));

  const std::vector<float> xf = random_floats(m.cols, seed);
  const std::vector<double> expected = dense_product(m.w, xf);
  double all = 0;
  for (const float v : xf) all += std::abs(double{v});
  const auto yf = product<float, float>(*tables, xf, 2);
  for (int64_t r = 0; r < m.rows; ++r) {
    ASSERT_NEAR(yf[r], expected[r], 0x1.00001p-24 * std::abs(expected[r]) + 1e-8 * all);
  }
}

TEST(RowTables, AreRightForAllWidthsAndShapes) {
  for (const Alphabet alphabet : kAlphabets) {
    const int limit = alphabet == Alphabet::binary ? kMaxTableCols : kMaxTableColsTernary;
    for (int group_cols = 1; group_cols <= limit; ++group_cols) {
      for (int64_t cols = 1; cols <= 17; ++cols) {
        expect_products(random_matrix(5, cols, alphabet, 0.3, 1), group_cols, 2);
      }
      expect_products(random_matrix(33, 1000, alphabet, 0.5, 3), group_cols, 4);
      expect_products(random_matrix(2, 70'000, alphabet, 0.0, 5), group_cols, 6);
    }
  }
}

TEST(RowTables, AreExactForExtremeInputs) {
  const TestMatrix m{2, 300, Alphabet::ternary, std::vector<int8_t>(600, -1)};
  const RowTables tables = build_row_tables(m.source(), 2, 300, m.alphabet, 5).value();
  const std::vector<int8_t> x(300, -128);
  EXPECT_EQ((product<int8_t, int32_t>(tables, x, 1)), (std::vector<int32_t>{38'400, 38'400}));
}

TEST(RowTables, HoldEverySegmentsSum) {
  const int8_t x[3] = {5, -7, 100};
  uint32_t table[27];
  fill_binary_table(x, 3, table);
  for (int code = 0; code < 8; ++code) {
    int sum = 0;
    for (int i = 0; i < 3; ++i) sum += (code >> i & 1) * x[i];
    EXPECT_EQ(static_cast<int32_t>(table[code]), sum);
  }
  fill_ternary_table(x, 3, table);
  for (int code = 0; code < 27; ++code) {
    const int sum = (code % 3 - 1) * x[0] + (code / 3 % 3 - 1) * x[1] + (code / 9 - 1) * x[2];
    EXPECT_EQ(static_cast<int32_t>(table[code]), sum);
  }
}

TEST(RowTables, RefuseBadInput) {
  const TestMatrix m{1, 3, Alphabet::ternary, {0, 1, 2}};
  EXPECT_FALSE(build_row_tables(m.source(), 1, 3, Alphabet::binary, 9).ok());
  EXPECT_FALSE(build_row_tables(m.source(), 1, 3, Alphabet::ternary, 6).ok());
  EXPECT_FALSE(build_row_tables(m.source(), 1, 3, Alphabet::ternary, 0).ok());
  EXPECT_FALSE(build_row_tables(m.source(), 1, 0, Alphabet::ternary, 2).ok());
  const Result<RowTables> bad = build_row_tables(m.source(), 1, 3, Alphabet::ternary, 2);
  ASSERT_FALSE(bad.ok());
  EXPECT_EQ(bad.status().message(), "value at row 0, column 2 is 2, not -1, 0 or +1");
}

}  // namespace
}  // namespace rsr::segment
