// Inputs that come again are quantised once, and nobody can tell from the results.
#include "linear/last_quantised.h"

#include <gtest/gtest.h>

#include <limits>
#include <thread>
#include <vector>

#include "linear/multiply_problem.h"

namespace rsr {
namespace {

constexpr int64_t kCols = 60;

struct Sharing : testing::Test {
  Problem p = ternary_problem(20, kCols, 2);
  Weight weight = prepare(ternary(p.w, 20, kCols)).value();
  Context context = Context::create({.threads = 1}).value();
  linear::LastQuantised last;

  std::vector<float> fresh(const std::vector<float>& x, const Weight& w) const {
    std::vector<float> y(x.size() / static_cast<size_t>(w.cols()) * static_cast<size_t>(w.rows()));
    const Product product{&w, y};
    EXPECT_TRUE(multiply_quantised(context, {&product, 1}, x).ok());
    return y;
  }
  /// The product by way of `last` is the one that knows nothing of earlier calls.
  void expect_right(const std::vector<float>& x, const Weight& w) {
    const std::vector<float> wanted = fresh(x, w);
    std::vector<float> y(wanted.size());
    ASSERT_TRUE(last.multiply(context, w, x, y).ok());
    ASSERT_EQ(y, wanted);
  }
};

TEST_F(Sharing, EqualFloatsAreQuantisedOnce) {
  expect_right(p.xf, weight);
  const std::vector<float> elsewhere = p.xf;
  expect_right(elsewhere, weight);
  expect_right(p.xf, weight);
  EXPECT_EQ(last.made(), 1);
}

TEST_F(Sharing, AnyChangeInPlaceIsSeen) {
  std::vector<float> x = p.xf;
  expect_right(x, weight);
  for (const size_t at : {size_t{0}, x.size() / 2, x.size() - 1}) {
    x[at] += 3.0f;
    expect_right(x, weight);
  }
  EXPECT_EQ(last.made(), 4);
  x[0] = 0.0f;
  expect_right(x, weight);
  x[0] = -0.0f;  // equal as a number, and other bits
  expect_right(x, weight);
  EXPECT_EQ(last.made(), 6);
}

TEST_F(Sharing, TheSameFloatsInOtherRowsAreOthers) {
  const Weight wide = prepare(ternary(p.w, 10, 2 * kCols)).value();
  const Weight narrow = prepare(ternary(p.w, 40, kCols / 2)).value();
  for (int turn = 0; turn < 2; ++turn) {
    for (const Weight& w : {weight, wide, narrow}) expect_right(p.xf, w);
  }
  EXPECT_EQ(last.made(), 6);
  expect_right({p.xf.begin(), p.xf.begin() + kCols}, weight);  // a part of what was kept
  expect_right(p.xf, weight);
  EXPECT_EQ(last.made(), 8);
}

TEST_F(Sharing, ErrorsAreSeenEveryTimeAndForgotten) {
  std::vector<float> x = p.xf;
  expect_right(x, weight);
  x[7] = std::numeric_limits<float>::quiet_NaN();
  std::vector<float> y(40);
  const auto message = [&](std::span<const float> inputs, std::span<float> outputs) {
    return last.multiply(context, weight, inputs, outputs).message();
  };
  for (int turn = 0; turn < 2; ++turn) {
    EXPECT_EQ(message(x, y), "x: row 0, column 7 is nan; inputs must be finite");
    EXPECT_EQ(message(std::span(x).first(61), y),
              "x: 61 elements are not a positive multiple of the matrix's 60 columns");
    EXPECT_EQ(message({}, y),
              "x: 0 elements are not a positive multiple of the matrix's 60 columns");
    EXPECT_EQ(message(p.xf, std::span(y).first(39)),
              "y: 39 elements; a batch of 2 and 20 rows need exactly 40");
  }
  expect_right(p.xf, weight);
}

TEST_F(Sharing, LargeInputsAreNotKept) {
  const std::vector<float> large(linear::LastQuantised::kMostFloats / kCols * kCols + kCols, 0.5f);
  expect_right(p.xf, weight);
  expect_right(large, weight);
  expect_right(large, weight);
  expect_right(p.xf, weight);  // which was kept all the time
  EXPECT_EQ(last.made(), 3);
}

TEST_F(Sharing, ThreadsMayUseOneAtOnce) {
  std::vector<std::vector<float>> inputs;
  std::vector<std::vector<float>> wanted;
  for (int i = 0; i < 3; ++i) {
    inputs.push_back(p.xf);
    inputs.back()[static_cast<size_t>(i)] = 9.0f;
    wanted.push_back(fresh(inputs.back(), weight));
  }
  std::vector<std::jthread> threads;
  for (size_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      const Context own = Context::create({.threads = 1}).value();
      std::vector<float> y(wanted[0].size());
      for (size_t n = 0; n < 300; ++n) {
        const size_t i = (n / 3 + t) % inputs.size();
        ASSERT_TRUE(last.multiply(own, weight, inputs[i], y).ok());
        ASSERT_EQ(y, wanted[i]);
      }
    });
  }
}

}  // namespace
}  // namespace rsr
