// Several products in one pass, and the search for the best rows: every format, every instruction
// set, any number of threads.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "base/cpu.h"
#include "rsr/linear.h"

namespace rsr {
namespace {

constexpr int64_t kCols = 133;

/// A matrix of one alphabet, prepared in one way; `rows` is part of the seed.
struct Kind {
  char alphabet = 't';  // ternary, binary, signs
  char scales = 'm';    // of the matrix, rows, groups
  Inputs inputs = Inputs::any;
  Algorithm algorithm = Algorithm::multiply_add;
};

Weight make(const Kind& kind, int64_t rows, const char* isa) {
  std::mt19937 random(static_cast<unsigned>(rows));
  std::vector<int8_t> w(static_cast<size_t>(rows * kCols));
  for (int8_t& v : w) {
    const auto drawn = static_cast<int>(random() % 3);
    if (kind.alphabet == 't') v = static_cast<int8_t>(drawn - 1);
    if (kind.alphabet == 'b') v = static_cast<int8_t>(drawn % 2);
    if (kind.alphabet == 's') v = drawn % 2 != 0 ? 1 : -1;
  }
  std::vector<float> row_scales;
  std::vector<float> group_scales;
  const auto draw = [&] { return static_cast<float>(random() % 9) * 0.25f - 1.0f; };
  for (int64_t i = 0; kind.scales == 'r' && i < rows; ++i) row_scales.push_back(draw());
  for (int64_t i = 0; kind.scales == 'g' && i < rows * 3; ++i) group_scales.push_back(draw());
  const MatrixView view = kind.alphabet == 't'   ? ternary(w, rows, kCols)
                          : kind.alphabet == 'b' ? binary(w, rows, kCols)
                                                 : signs(w, rows, kCols);
  return prepare(view, {.scale = 0.5f,
                        .row_scales = row_scales,
                        .group_scales = group_scales,
                        .group_size = kind.scales == 'g' ? 64 : 0,
                        .inputs = kind.inputs,
                        .isa = isa,
                        .algorithm = kind.algorithm})
      .value();
}

std::vector<Kind> all_kinds() {
  std::vector<Kind> kinds;
  for (const char alphabet : {'t', 'b', 's'}) {
    for (const char scales : {'m', 'r', 'g'}) {
      for (const Inputs inputs : {Inputs::any, Inputs::int8, Inputs::floats}) {
        kinds.push_back({alphabet, scales, inputs});
      }
      kinds.push_back({alphabet, scales, Inputs::any, Algorithm::rsr});
    }
  }
  return kinds;
}

template <class T>
std::vector<T> inputs(int64_t batch) {
  std::mt19937 random(3);
  std::vector<T> x(static_cast<size_t>(batch * kCols));
  for (T& v : x) {
    const int drawn = static_cast<int>(random() % 256) - 128;
    v = static_cast<T>(std::is_same_v<T, float> ? static_cast<float>(drawn) * 0.03f
                                                : static_cast<float>(drawn));
  }
  return x;
}

/// Calls use(context, name of the instruction set) on all of them, with 1, 2 and 5 threads.
template <class Use>
void everywhere(const Use& use) {
  for (const base::Isa isa : base::kAllIsas) {
    if (!base::has_isa(isa)) continue;
    for (const int threads : {1, 2, 5}) {
      use(Context::create({.threads = threads, .isa = base::isa_name(isa)}).value(),
          base::isa_name(isa));
    }
  }
}

TEST(MultiplyQuantised, ManyProductsEqualSingleOnes) {
  const std::vector<Kind> kinds = all_kinds();
  everywhere([&](const Context& context, const char* isa) {
    for (const int64_t batch : {1, 4, 12}) {
      const std::vector<float> x = inputs<float>(batch);
      std::vector<Weight> weights;
      // Each kind twice running: one pass may hold neighbours only.
      for (size_t i = 0; i < 2 * kinds.size(); ++i) {
        weights.push_back(make(kinds[i / 2], 5 + static_cast<int64_t>(i * 7 % 60), isa));
      }
      std::vector<std::vector<float>> y(weights.size());
      std::vector<Product> products(weights.size());
      for (size_t i = 0; i < weights.size(); ++i) {
        y[i].assign(static_cast<size_t>(batch * weights[i].rows()), -77.0f);
        products[i] = {&weights[i], y[i]};
      }
      ASSERT_TRUE(multiply_quantised(context, products, x).ok());
      for (size_t i = 0; i < weights.size(); ++i) {
        std::vector<float> alone(y[i].size());
        const Product single{&weights[i], alone};
        ASSERT_TRUE(multiply_quantised(context, {&single, 1}, x).ok());
        ASSERT_EQ(y[i], alone) << isa << " " << weights[i].describe() << ", product " << i;
      }
    }
  });
}

TEST(MultiplyQuantised, MoreProductsOfOneFormatThanAPassHolds) {
  everywhere([&](const Context& context, const char* isa) {
    const std::vector<float> x = inputs<float>(3);
    std::vector<Weight> weights;
    for (int64_t i = 0; i < 19; ++i) weights.push_back(make({}, 1 + i * 13 % 50, isa));
    std::vector<std::vector<float>> y(weights.size());
    std::vector<Product> products;
    for (size_t i = 0; i < weights.size(); ++i) {
      y[i].resize(static_cast<size_t>(3 * weights[i].rows()));
      products.push_back({&weights[i], y[i]});
    }
    ASSERT_TRUE(multiply_quantised(context, products, x).ok());
    for (size_t i = 0; i < weights.size(); ++i) {
      std::vector<float> alone(y[i].size());
      const Product single{&weights[i], alone};
      ASSERT_TRUE(multiply_quantised(context, {&single, 1}, x).ok());
      ASSERT_EQ(y[i], alone) << isa << ", product " << i;
    }
  });
}

TEST(MultiplyQuantised, SameBitsOnEveryInstructionSet) {
  const std::vector<float> x = inputs<float>(2);
  for (const Kind& kind : all_kinds()) {
    std::vector<float> first;
    everywhere([&](const Context& context, const char* isa) {
      const Weight weight = make(kind, 40, isa);
      std::vector<float> y(80);
      const Product product{&weight, y};
      ASSERT_TRUE(multiply_quantised(context, {&product, 1}, x).ok());
      if (first.empty()) first = y;
      ASSERT_EQ(y, first) << isa << " " << weight.describe();
    });
  }
}

TEST(MultiplyQuantised, NamesTheProductThatIsWrong) {
  const Context context = Context::create({.threads = 1}).value();
  const Weight weight = make({}, 4, "");
  const Weight other = prepare(ternary(std::vector<int8_t>(12), 3, 4)).value();
  std::vector<float> y(4);
  std::vector<float> three(3);
  std::vector<float> x = inputs<float>(1);
  const auto message = [&](std::vector<Product> products) {
    return multiply_quantised(context, products, x).message();
  };
  EXPECT_EQ(message({}), "products: there are none");
  EXPECT_EQ(message({{&weight, y}, {nullptr, y}}), "products[1]: no weight");
  EXPECT_EQ(message({{&weight, y}, {&other, three}}),
            "products[1]: 4 columns, the first weight has 133");
  EXPECT_EQ(message({{&weight, y}, {&weight, three}}),
            "products[1]: y: 3 elements; a batch of 1 and 4 rows need exactly 4");
  x[7] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(message({{&weight, y}}), "x: row 0, column 7 is nan; inputs must be finite");
  x.pop_back();
  EXPECT_NE(message({{&weight, y}}).find("products[0]: x: 132 elements"), std::string::npos);
}

/// What multiply_quantised() gives for one weight.
std::vector<float> quantised_product(const Context& context, const Weight& weight,
                                     const std::vector<float>& x) {
  std::vector<float> y(x.size() / kCols * static_cast<size_t>(weight.rows()));
  const Product product{&weight, y};
  EXPECT_TRUE(multiply_quantised(context, {&product, 1}, x).ok());
  return y;
}

TEST(QuantisedVectors, GiveTheBitsOfOneCallToEveryWeightAndContext) {
  const std::vector<Kind> kinds = all_kinds();
  const Context other = Context::create({.threads = 1, .isa = "reference"}).value();
  everywhere([&](const Context& context, const char* isa) {
    for (const int64_t batch : {1, 5}) {
      std::vector<float> x = inputs<float>(batch);
      const QuantisedVectors here = quantise(context, x, kCols).value();
      const QuantisedVectors there = quantise(other, x, kCols).value();
      EXPECT_EQ(here.batch(), batch);
      EXPECT_EQ(here.cols(), kCols);
      const std::vector<float> before = x;
      x.assign(x.size(), 1e9f);  // not needed any more
      for (const Kind& kind : kinds) {
        const Weight weight = make(kind, 37, isa);
        const std::vector<float> wanted = quantised_product(context, weight, before);
        for (const QuantisedVectors& vectors : {here, there}) {
          std::vector<float> y(wanted.size(), -77.0f);
          ASSERT_TRUE(multiply(context, weight, vectors, y).ok());
          ASSERT_EQ(y, wanted) << isa << " " << weight.describe();
        }
      }
    }
  });
}

TEST(QuantisedVectors, NameWhatIsWrong) {
  const Context context = Context::create({.threads = 1}).value();
  std::vector<float> x = inputs<float>(2);
  const auto message = [&](int64_t cols) { return quantise(context, x, cols).status().message(); };
  EXPECT_EQ(message(0), "cols: 0; there must be at least 1");
  EXPECT_EQ(message(100), "x: 266 elements are not a positive multiple of the 100 columns");
  EXPECT_FALSE(quantise(context, {}, 4).ok());
  const QuantisedVectors vectors = quantise(context, x, kCols).value();
  x[kCols + 2] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(message(kCols), "x: row 1, column 2 is nan; inputs must be finite");
  std::vector<float> y(8);
  EXPECT_TRUE(multiply(context, make({}, 4, ""), vectors, y).ok());
  EXPECT_EQ(multiply(context, make({}, 5, ""), vectors, y).message(),
            "y: 8 elements; a batch of 2 and 5 rows need exactly 10");
  const Weight narrow = prepare(ternary(std::vector<int8_t>(16), 4, 4)).value();
  EXPECT_EQ(multiply(context, narrow, vectors, y).message(),
            "x: vectors of 133 columns; the matrix has 4");
}

/// All rows by score, equal ones by number.
std::vector<Match> sorted(const std::vector<float>& scores) {
  std::vector<Match> all;
  for (size_t r = 0; r < scores.size(); ++r) all.push_back({static_cast<int64_t>(r), scores[r]});
  std::stable_sort(all.begin(), all.end(),
                   [](const Match& a, const Match& b) { return a.score > b.score; });
  return all;
}

template <class T>
void expect_best(const Context& context, const Weight& weight, const std::vector<T>& x,
                 const std::vector<float>& scores) {
  const std::vector<Match> all = sorted(scores);
  for (const int64_t k : {int64_t{0}, int64_t{1}, int64_t{7}, weight.rows()}) {
    std::vector<Match> found(static_cast<size_t>(std::min(k, weight.rows())));
    const Status status = top_k(context, weight, std::span<const T>(x), found);
    ASSERT_TRUE(status.ok()) << status.message();
    for (size_t i = 0; i < found.size(); ++i) {
      ASSERT_EQ(found[i].row, all[i].row)
          << weight.describe() << " place " << i << " of " << k << " " << context.isa();
      ASSERT_EQ(found[i].score, all[i].score) << weight.describe() << " place " << i;
    }
  }
}

// The scores of the search have the bits of the product, so that both orders are the same.
TEST(TopK, FloatsEqualSortingTheProduct) {
  const std::vector<float> x = inputs<float>(1);
  everywhere([&](const Context& context, const char* isa) {
    for (const Kind& kind : all_kinds()) {
      const Weight weight = make(kind, 147, isa);
      std::vector<float> scores(147);
      ASSERT_TRUE(multiply(context, weight, x, scores).ok());
      expect_best(context, weight, x, scores);
    }
  });
}

/// scale * (W x) of an int8 query, in exact integers and then scaled in the documented order.
std::vector<float> int8_scores(const Context& context, const Kind& kind, const Weight& weight,
                               const std::vector<int8_t>& x) {
  // Scales are multiples of 1/8 and sums are small, so that plain float products are exact.
  std::vector<float> scores(static_cast<size_t>(weight.rows()));
  EXPECT_TRUE(multiply(context, weight, std::vector<float>(x.begin(), x.end()), scores).ok())
      << kind.alphabet;
  return scores;
}

TEST(TopK, IntegersEqualSortingTheProduct) {
  const std::vector<int8_t> x = inputs<int8_t>(1);
  everywhere([&](const Context& context, const char* isa) {
    for (const Kind& kind : all_kinds()) {
      const Weight weight = make(kind, 147, isa);
      expect_best(context, weight, x, int8_scores(context, kind, weight, x));
    }
  });
}

TEST(TopK, ManyRowsAndEqualScores) {
  // More rows than a thread scores at once, and only three different rows: ties everywhere.
  constexpr int64_t kRows = 9001;
  std::vector<int8_t> w(kRows * 4, 0);
  for (int64_t r = 0; r < kRows; ++r)
    w[static_cast<size_t>(r * 4)] = static_cast<int8_t>(r % 3 - 1);
  const std::vector<int8_t> xi = {5, 1, 1, 1};
  const std::vector<float> xf = {5, 1, 1, 1};
  std::vector<float> scores(kRows);
  for (int64_t r = 0; r < kRows; ++r)
    scores[static_cast<size_t>(r)] = static_cast<float>(r % 3 - 1) * 5;
  everywhere([&](const Context& context, const char* isa) {
    for (const Algorithm algorithm : {Algorithm::multiply_add, Algorithm::rsr}) {
      for (const Inputs kind : {Inputs::any, Inputs::int8, Inputs::floats}) {
        const Weight weight =
            prepare(ternary(w, kRows, 4), {.inputs = kind, .isa = isa, .algorithm = algorithm})
                .value();
        expect_best(context, weight, xi, scores);
        expect_best(context, weight, xf, scores);
      }
    }
  });
}

TEST(TopK, NamesWhatIsWrong) {
  const Context context = Context::create({.threads = 1}).value();
  const Weight weight = make({}, 4, "");
  std::vector<float> x = inputs<float>(1);
  const std::vector<int8_t> xi = inputs<int8_t>(1);
  std::vector<Match> five(5);
  std::vector<Match> four(4);
  EXPECT_EQ(top_k(context, weight, std::span<const float>(x), five).message(),
            "matches: 5 wanted, the matrix has 4 rows");
  EXPECT_EQ(top_k(context, weight, std::span<const int8_t>(xi).first(9), four).message(),
            "x: 9 elements, the matrix has 133 columns");
  x[1] = std::numeric_limits<float>::infinity();
  EXPECT_EQ(top_k(context, weight, std::span<const float>(x), four).message(),
            "x: row 0, column 1 is inf; inputs must be finite");
}

}  // namespace
}  // namespace rsr
