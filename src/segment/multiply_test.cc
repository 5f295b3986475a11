#include "segment/multiply.h"

#include <gtest/gtest.h>

#include "base/aligned.h"
#include "segment/oracle.h"
#include "segment/test_matrices.h"

namespace rsr::segment {
namespace {

struct Case {
  Form form = Form::scatter;
  int k = 1;
  int64_t tile_cols = 0;
};

// Rows are written only inside the y that is given: guards lie before and behind.
template <class Y>
struct Guarded {
  explicit Guarded(int64_t rows) : values(static_cast<size_t>(rows) + 2, Y{77}) {}
  Y* data() { return values.data() + 1; }
  bool intact() const { return values.front() == Y{77} && values.back() == Y{77}; }
  std::vector<Y> values;
};

std::string name(const TestMatrix& m, const Case& c) {
  return std::string(to_string(c.form)) + " " + to_string(m.alphabet) + " " +
         std::to_string(m.rows) + " x " + std::to_string(m.cols) + " k " + std::to_string(c.k);
}

ColumnGroups index_of(const TestMatrix& m, const Case& c) {
  return build(m.source(), m.rows, m.cols, {m.alphabet, required_order(c.form), c.k, c.tile_cols})
      .value();
}

void expect_int_product(const TestMatrix& m, const ColumnGroups& g, const Case& c,
                        const std::vector<int8_t>& x) {
  base::AlignedArray<std::byte> scratch(static_cast<size_t>(scratch_bytes(c.form, g)));
  Guarded<int32_t> y(m.rows);
  multiply(c.form, Product<int8_t, int32_t>{&g, x.data(), y.data(), scratch.data()}, whole(g));
  EXPECT_TRUE(y.intact()) << name(m, c);
  const std::vector<int64_t> expected = dense_product(m.w, x);
  for (int64_t r = 0; r < m.rows; ++r) ASSERT_EQ(y.data()[r], expected[r]) << name(m, c);
}

void expect_float_product(const TestMatrix& m, const ColumnGroups& g, const Case& c,
                          const std::vector<float>& x) {
  base::AlignedArray<std::byte> scratch(static_cast<size_t>(scratch_bytes(c.form, g)));
  Guarded<float> y(m.rows);
  multiply(c.form, Product<float, float>{&g, x.data(), y.data(), scratch.data()}, whole(g));
  EXPECT_TRUE(y.intact()) << name(m, c);
  const std::vector<double> expected = dense_product(m.w, x);
  double all = 0;  // at least the block's magnitude of multiply.h
  for (const float v : x) all += std::abs(double{v});
  for (int64_t r = 0; r < m.rows; ++r) {
    // The oracle's own sum has the error bound of a chain of cols double additions.
    const double oracle = static_cast<double>(m.cols) * 0x1p-53 * all;
    const double bound = 0x1.00001p-24 * std::abs(expected[r]) + 1e-10 * all + oracle;
    ASSERT_NEAR(static_cast<double>(y.data()[r]), expected[r], bound) << name(m, c);
  }
}

void expect_products(const TestMatrix& m, const Case& c, uint32_t seed) {
  const ColumnGroups g = index_of(m, c);
  expect_int_product(m, g, c, random_int8(m.cols, seed));
  expect_float_product(m, g, c, random_floats(m.cols, seed));
}

TEST(Multiply, IsRightForAllKAndForms) {
  for (const Alphabet alphabet : kAlphabets) {
    const TestMatrix few = random_matrix(33, 100, alphabet, 0.33, 1);
    const TestMatrix many = random_matrix(17, 3000, alphabet, 0.33, 2);
    for (const Form form : kForms) {
      for (int k = 1; k <= max_k(form, alphabet); ++k) {
        expect_products(few, {form, k, 0}, 3);
        expect_products(few, {form, k, 32}, 4);
        expect_products(many, {form, k, 0}, 5);
      }
    }
  }
}

TEST(Multiply, IsRightForAllSmallShapes) {
  for (const Alphabet alphabet : kAlphabets) {
    for (int64_t rows = 1; rows <= 33; ++rows) {
      for (int64_t cols = 1; cols <= 17; ++cols) {
        const TestMatrix m = random_matrix(rows, cols, alphabet, 0.4, 7);
        for (const Form form : kForms) {
          expect_products(m, {form, 5, 0}, 8);
          expect_products(m, {form, 4, 3}, 9);
        }
      }
    }
  }
}

TEST(Multiply, IsRightForEveryShareOfZeros) {
  for (const Alphabet alphabet : kAlphabets) {
    for (int tenths = 0; tenths <= 10; ++tenths) {
      const TestMatrix m = random_matrix(29, 700, alphabet, tenths / 10.0, 13);
      for (const Form form : kForms) {
        for (const int k : {2, 4, 7}) expect_products(m, {form, k, 256}, 17);
      }
    }
  }
}

TEST(Multiply, IsRightForWideMatrices) {
  for (const Alphabet alphabet : kAlphabets) {
    for (const int64_t cols : {int64_t{65'536 + 3}, int64_t{70'000}}) {
      const TestMatrix m = random_matrix(9, cols, alphabet, 0.33, 19);
      for (const Form form : kForms) {
        for (const int k : {1, 4, 7}) expect_products(m, {form, k, 0}, 23);
      }
    }
  }
}

TEST(Multiply, IsExactForExtremeInputs) {
  for (const Alphabet alphabet : kAlphabets) {
    TestMatrix m = random_matrix(6, 70'000, alphabet, 0.0, 29);
    std::fill_n(m.w.begin(), m.cols, int8_t{1});
    if (alphabet == Alphabet::ternary) std::fill_n(m.w.begin() + m.cols, m.cols, int8_t{-1});
    for (const Form form : kForms) {
      const Case c{form, 5, 0};
      const ColumnGroups g = index_of(m, c);
      for (const int value : {-128, 127}) {
        expect_int_product(m, g, c, std::vector<int8_t>(70'000, static_cast<int8_t>(value)));
      }
    }
  }
}

TEST(Multiply, IsExactAtTheLargestNumberOfColumns) {
  // 16,777,215 * -128 is eight short of the smallest int32; rows of +1 and of -1.
  constexpr int64_t kCols = 16'777'215;
  const RowSource source = [](int64_t row, int8_t* out) {
    std::fill_n(out, kCols, row == 0 ? int8_t{1} : int8_t{-1});
  };
  const std::vector<int8_t> x(kCols, -128);
  for (const Form form : kForms) {
    const ColumnGroups g =
        build(source, 2, kCols, {Alphabet::ternary, required_order(form), 2, 0}).value();
    base::AlignedArray<std::byte> scratch(static_cast<size_t>(scratch_bytes(form, g)));
    int32_t y[2] = {};
    multiply(form, Product<int8_t, int32_t>{&g, x.data(), y, scratch.data()}, whole(g));
    EXPECT_EQ(y[0], -2'147'483'520);
    EXPECT_EQ(y[1], 2'147'483'520);
  }
}

TEST(Multiply, KeepsSmallRowsBesideLargeOnes) {
  // Gray's running sums reach 1e6; row 1 sees only inputs of 1e-3 and must not drown.
  const int64_t cols = 512;
  TestMatrix m = random_matrix(4, cols, Alphabet::binary, 0.5, 31);
  std::vector<float> x(static_cast<size_t>(cols));
  for (int64_t c = 0; c < cols; ++c) {
    const bool small = c % 2 == 0;
    x[c] = small ? 1e-3f : 1e4f * static_cast<float>(c % 7 - 3);
    if (!small) m.w[cols + c] = 0;
  }
  const std::vector<double> expected = dense_product(m.w, x);
  const std::vector<double> magnitude = dense_magnitude(m.w, x);
  for (const Form form : kForms) {
    const ColumnGroups g = index_of(m, {form, 4, 0});
    base::AlignedArray<std::byte> scratch(static_cast<size_t>(scratch_bytes(form, g)));
    std::vector<float> y(4);
    multiply(form, Product<float, float>{&g, x.data(), y.data(), scratch.data()}, whole(g));
    EXPECT_NEAR(y[1], expected[1], 1e-5 * magnitude[1]) << to_string(form);
  }
}

TEST(Multiply, RunsOneTileOrSomeBlocks) {
  const TestMatrix m = random_matrix(23, 90, Alphabet::ternary, 0.3, 37);
  const std::vector<int8_t> x = random_int8(m.cols, 41);
  for (const Form form : kForms) {
    const ColumnGroups g = index_of(m, {form, 4, 40});
    base::AlignedArray<std::byte> scratch(static_cast<size_t>(scratch_bytes(form, g)));
    std::vector<int32_t> y(23, 5);
    const Product<int8_t, int32_t> product{&g, x.data(), y.data(), scratch.data()};
    multiply(form, product, {{2, 4}, {0, 3}, false});
    for (int r = 0; r < 23; ++r) EXPECT_EQ(y[r] == 5, r < 8 || r >= 16) << r;
    // Tile by tile, added up: the columns of tile t are 40 t to 40 t + 39.
    multiply(form, product, {{0, 6}, {1, 2}, false});
    std::vector<int8_t> middle(90, 0);
    std::copy_n(x.begin() + 40, 40, middle.begin() + 40);
    const std::vector<int64_t> of_middle = dense_product(m.w, middle);
    for (int r = 0; r < 23; ++r) EXPECT_EQ(y[r], of_middle[r]);
    multiply(form, product, {{0, 6}, {0, 1}, true});
    multiply(form, product, {{0, 6}, {2, 3}, true});
    const std::vector<int64_t> expected = dense_product(m.w, x);
    for (int r = 0; r < 23; ++r) EXPECT_EQ(y[r], expected[r]);
  }
}

TEST(Multiply, TakesEitherOrderInEveryForm) {
  const TestMatrix m = random_matrix(20, 300, Alphabet::ternary, 0.3, 43);
  for (const Form form : kForms) {
    for (const Order order : {Order::pattern_value, Order::gray_rank}) {
      const ColumnGroups g = build(m.source(), 20, 300, {m.alphabet, order, 6, 0}).value();
      expect_int_product(m, g, {form, 6, 0}, random_int8(300, 47));
    }
  }
}

TEST(Multiply, GivesTheSameFloatsForAnySplitOfBlocks) {
  const TestMatrix m = random_matrix(50, 400, Alphabet::ternary, 0.3, 53);
  const std::vector<float> x = random_floats(400, 59);
  for (const Form form : kForms) {
    const ColumnGroups g = index_of(m, {form, 5, 128});
    base::AlignedArray<std::byte> scratch(static_cast<size_t>(scratch_bytes(form, g)));
    std::vector<float> at_once(50);
    std::vector<float> split(50);
    multiply(form, Product<float, float>{&g, x.data(), at_once.data(), scratch.data()}, whole(g));
    for (int64_t b = 0; b < g.block_count(); ++b) {
      multiply(form, Product<float, float>{&g, x.data(), split.data(), scratch.data()},
               {{b, b + 1}, {0, g.tile_count()}, false});
    }
    EXPECT_EQ(at_once, split);
  }
}

TEST(CheckForm, NamesTheLimit) {
  EXPECT_TRUE(check_form(Form::scatter, Alphabet::ternary, 16).ok());
  EXPECT_TRUE(check_form(Form::fold, Alphabet::binary, 12).ok());
  EXPECT_TRUE(check_form(Form::gray, Alphabet::ternary, 7).ok());
  EXPECT_EQ(check_form(Form::fold, Alphabet::binary, 13).message(),
            "k must be 1 to 12 for the form fold of a binary matrix, and is 13");
  EXPECT_EQ(check_form(Form::gray, Alphabet::ternary, 8).message(),
            "k must be 1 to 7 for the form gray of a ternary matrix, and is 8");
  EXPECT_EQ(check_form(Form::scatter, Alphabet::ternary, 17).message(),
            "k must be 1 to 16 for the form scatter of a ternary matrix, and is 17");
  EXPECT_FALSE(check_form(Form::scatter, Alphabet::binary, 0).ok());
}

}  // namespace
}  // namespace rsr::segment
