// Products that run through tables over a batch, by the public calls: that they do, and that
// nothing else tells.
#include <gtest/gtest.h>

#include <algorithm>
#include <span>
#include <string>
#include <vector>

#include "base/cpu.h"
#include "linear/context.h"
#include "linear/linear.h"
#include "linear/multiply_problem.h"
#include "rsr/linear.h"

namespace rsr {
namespace {

/// Enough rows that two threads look up, and a rest of rows, columns and tokens.
constexpr int64_t kRows = 2003;
constexpr int64_t kCols = 201;
constexpr int64_t kBatch = 61;

struct Way {
  const char* isa;
  char alphabet;  // ternary, binary, signs
};
constexpr Way kWays[] = {{"avx2", 't'},     {"avx2", 'b'},     {"avxvnni", 't'},   {"avxvnni", 's'},
                         {"avx512bw", 't'}, {"avx512bw", 's'}, {"avx512vnni", 's'}};

Problem problem_of(const Way& way) {
  if (way.alphabet == 't') return ternary_problem(kRows, kCols, kBatch);
  if (way.alphabet == 'b') return binary_problem(kRows, kCols, kBatch);
  return signs_problem(kRows, kCols, kBatch);
}

Weight prepared(const Way& way, const Problem& p) {
  const MatrixView view = way.alphabet == 't'   ? ternary(p.w, p.rows, p.cols)
                          : way.alphabet == 'b' ? binary(p.w, p.rows, p.cols)
                                                : signs(p.w, p.rows, p.cols);
  return prepare(view, {.scale = 0.25f, .inputs = Inputs::int8, .isa = way.isa}).value();
}

/// Calls use(way, context) for what this machine has, with 1 and 2 threads.
template <class Use>
void everywhere(const Use& use) {
  for (const Way& way : kWays) {
    if (!base::has_isa(base::isa_from_name(way.isa).value())) continue;
    for (const int threads : {1, 2}) {
      use(way, Context::create({.threads = threads, .isa = way.isa}).value());
    }
  }
}

TEST(LookUps, RunAndAreExact) {
  everywhere([](const Way& way, const Context& context) {
    const Problem p = problem_of(way);
    const Weight weight = prepared(way, p);
    const std::string kernel =
        linear::explain_kernel(context.impl(), weight, Inputs::int8, p.batch);
    EXPECT_EQ(kernel.find("gemm_tables_"), 0u) << way.isa << ": " << kernel;
    std::vector<int32_t> y(p.y.size());
    ASSERT_TRUE(multiply(context, weight, p.x, y).ok());
    EXPECT_EQ(y, p.y) << way.isa << " " << way.alphabet << " " << context.threads();
  });
}

TEST(LookUps, GiveTheFloatsThatOtherKernelsGive) {
  everywhere([](const Way& way, const Context& context) {
    const Problem p = problem_of(way);
    const Weight weight = prepared(way, p);
    const Context plain = Context::create({.threads = 1, .isa = "reference"}).value();
    std::vector<float> y(p.y.size());
    std::vector<float> expected(p.y.size());
    const Product product{&weight, y};
    const Product other{&weight, expected};
    ASSERT_TRUE(multiply_quantised(context, {&product, 1}, p.xf).ok());
    ASSERT_TRUE(multiply_quantised(plain, {&other, 1}, p.xf).ok());
    EXPECT_EQ(y, expected) << way.isa << " " << way.alphabet << " " << context.threads();
  });
}

// A vector among others has the bits that it has alone, which a matvec gives.
TEST(LookUps, OfFloatsGiveTheBitsOfAVectorAlone) {
  everywhere([](const Way& way, const Context& context) {
    const Problem p = problem_of(way);
    const MatrixView view = way.alphabet == 't'   ? ternary(p.w, p.rows, p.cols)
                            : way.alphabet == 'b' ? binary(p.w, p.rows, p.cols)
                                                  : signs(p.w, p.rows, p.cols);
    const Weight weight = prepare(view, {.scale = 0.25f, .isa = way.isa}).value();
    const std::string kernel =
        linear::explain_kernel(context.impl(), weight, Inputs::floats, p.batch);
    if (way.alphabet == 't' || std::string(way.isa) == "avx2") {
      EXPECT_EQ(kernel.find("gemm_tables_"), 0u) << way.isa << ": " << kernel;
    }
    std::vector<float> y(p.y.size());
    ASSERT_TRUE(multiply(context, weight, p.xf, y).ok());
    std::vector<float> alone(static_cast<size_t>(p.rows));
    for (int64_t t = 0; t < p.batch; t += 9) {
      const auto x = std::span(p.xf).subspan(static_cast<size_t>(t * p.cols), p.cols);
      ASSERT_TRUE(multiply(context, weight, x, alone).ok());
      const auto same = std::span(y).subspan(static_cast<size_t>(t * p.rows), p.rows);
      EXPECT_TRUE(std::equal(alone.begin(), alone.end(), same.begin()))
          << way.isa << " " << way.alphabet << " token " << t;
    }
  });
}

// q, k and v: three matrices in one pass, whose ends lie within threads' parts.
TEST(LookUps, SeveralMatricesInOnePass) {
  everywhere([](const Way& way, const Context& context) {
    const Problem p = problem_of(way);
    const Weight weight = prepared(way, p);
    std::vector<float> one(p.y.size());
    const Product alone{&weight, one};
    ASSERT_TRUE(multiply_quantised(context, {&alone, 1}, p.xf).ok());
    std::vector<std::vector<float>> y(3, std::vector<float>(p.y.size()));
    std::vector<Product> products;
    for (auto& out : y) products.push_back({&weight, out});
    ASSERT_TRUE(multiply_quantised(context, products, p.xf).ok());
    for (const auto& out : y) EXPECT_EQ(out, one) << way.isa << " " << way.alphabet;
  });
}

}  // namespace
}  // namespace rsr
