// Indexes for batches of float vectors through the public calls.
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "base/cpu.h"
#include "linear/batch_index.h"
#include "linear/linear.h"
#include "linear/multiply_problem.h"

namespace rsr {
namespace {

constexpr BatchIndexOptions kStream{.most_bytes = int64_t{1} << 30, .always = true};
constexpr BatchIndexOptions kCode{.most_bytes = int64_t{1} << 30, .jit = true, .always = true};

std::vector<std::string> isas() {
  std::vector<std::string> names;
  for (const base::Isa isa : base::kAllIsas) {
    if (isa != base::Isa::reference && base::has_isa(isa)) names.emplace_back(base::isa_name(isa));
  }
  return names;
}

enum class Values { ternary, binary, signs };

Problem problem_of(Values values, int64_t rows, int64_t cols, int64_t batch) {
  if (values == Values::binary) return binary_problem(rows, cols, batch);
  return values == Values::signs ? signs_problem(rows, cols, batch)
                                 : ternary_problem(rows, cols, batch);
}

Weight weight_of(const Problem& p, Values values, const std::string& isa, Inputs inputs) {
  PrepareOptions options{.scale = 0.5f, .inputs = inputs, .isa = isa};
  const MatrixView view = values == Values::binary  ? binary(p.w, p.rows, p.cols)
                          : values == Values::signs ? signs(p.w, p.rows, p.cols)
                                                    : ternary(p.w, p.rows, p.cols);
  return prepare(view, options).value();
}

/// Within `share` of the sum of |scale * x|.
void expect_product(const Context& context, const Weight& weight, const Problem& p, double share) {
  std::vector<float> y(static_cast<size_t>(p.batch * p.rows));
  ASSERT_TRUE(multiply(context, weight, p.xf, y).ok());
  for (int64_t t = 0; t < p.batch; ++t) {
    const float* x = p.xf.data() + t * p.cols;
    double magnitude = 0;
    for (int64_t c = 0; c < p.cols; ++c) magnitude += 0.5 * std::fabs(x[c]);
    for (int64_t r = 0; r < p.rows; ++r) {
      double sum = 0;
      for (int64_t c = 0; c < p.cols; ++c) sum += 0.5 * p.w[r * p.cols + c] * x[c];
      ASSERT_NEAR(y[static_cast<size_t>(t * p.rows + r)], sum, share * magnitude)
          << "token " << t << " row " << r;
    }
  }
}

TEST(BatchIndexFloats, RunsAndIsNear) {
  for (const std::string& isa : isas()) {
    for (const int threads : {1, 3}) {
      const Context context = Context::create({.threads = threads, .isa = isa}).value();
      for (const Values values : {Values::ternary, Values::binary, Values::signs}) {
        const Problem p = problem_of(values, 131, 1300, 21);
        const Weight plain = weight_of(p, values, isa, Inputs::floats);
        for (const BatchIndexOptions& options : {kStream, kCode}) {
          std::string notice;
          const Weight weight = with_batch_index(context, plain, options, &notice);
          ASSERT_NE(weight.batch_index(), nullptr) << isa << ": " << notice;
          EXPECT_EQ(weight.batch_index()->compiled(), options.jit);
          const std::string runs =
              linear::explain_kernel(context.impl(), weight, Inputs::floats, p.batch);
          EXPECT_EQ(runs.substr(0, 13), "gemm_gray_f32") << runs;
          SCOPED_TRACE(isa + (options.jit ? " compiled" : " stream"));
          // What the header says of ordinary inputs.
          expect_product(context, weight, p, 1e-6);
        }
      }
    }
  }
}

// An index is for the inputs that its weight was prepared for; the other product runs as ever.
TEST(BatchIndexFloats, OtherInputsDoNotReadIt) {
  for (const std::string& isa : isas()) {
    const Context context = Context::create({.threads = 1, .isa = isa}).value();
    const Problem p = problem_of(Values::ternary, 70, 700, 40);
    const Weight floats =
        with_batch_index(context, weight_of(p, Values::ternary, isa, Inputs::floats), kCode);
    std::vector<int32_t> sums(p.y.size());
    ASSERT_TRUE(multiply(context, floats, p.x, sums).ok());
    EXPECT_EQ(sums, p.y) << isa;

    const Weight plain = weight_of(p, Values::ternary, isa, Inputs::int8);
    const Weight integers = with_batch_index(context, plain, kCode);
    std::vector<float> expected(p.y.size());
    std::vector<float> y(p.y.size());
    ASSERT_TRUE(multiply(context, plain, p.xf, expected).ok());
    ASSERT_TRUE(multiply(context, integers, p.xf, y).ok());
    EXPECT_EQ(y, expected) << isa;
  }
}

// A running sum of these would be infinite, and so would be rows that have one of them only.
TEST(BatchIndexFloats, HugeInputsRunAsWithoutIt) {
  for (const std::string& isa : isas()) {
    const Context context = Context::create({.threads = 1, .isa = isa}).value();
    Problem p = problem_of(Values::ternary, 70, 700, 40);
    for (float& x : p.xf) x = x < 0 ? -3e38f : 3e38f;
    for (int64_t i = 0; i < 70 * 700; ++i) {
      if (i % 700 > 1) p.w[static_cast<size_t>(i)] = 0;
    }
    const Weight plain = weight_of(p, Values::ternary, isa, Inputs::floats);
    std::vector<float> expected(p.y.size());
    std::vector<float> y(p.y.size());
    ASSERT_TRUE(multiply(context, plain, p.xf, expected).ok());
    ASSERT_TRUE(multiply(context, with_batch_index(context, plain, kStream), p.xf, y).ok());
    for (size_t i = 0; i < y.size(); ++i) {
      ASSERT_EQ(std::isnan(y[i]), false) << isa;
      ASSERT_EQ(y[i], expected[i]) << isa;
    }
  }
}

// One vector, and a few, do not read the index: their bits are those of the plain weight.
TEST(BatchIndexFloats, FewVectorsRunAsWithoutIt) {
  for (const std::string& isa : isas()) {
    const Context context = Context::create({.threads = 1, .isa = isa}).value();
    const Problem p = problem_of(Values::binary, 70, 700, 2);
    const Weight plain = weight_of(p, Values::binary, isa, Inputs::floats);
    std::vector<float> expected(p.y.size());
    std::vector<float> y(p.y.size());
    ASSERT_TRUE(multiply(context, plain, p.xf, expected).ok());
    ASSERT_TRUE(multiply(context, with_batch_index(context, plain, kCode), p.xf, y).ok());
    EXPECT_EQ(y, expected) << isa;
  }
}

}  // namespace
}  // namespace rsr
