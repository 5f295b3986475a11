// The public library's promises beside its numbers: threads, instruction sets, errors.
#include "linear/linear.h"

#include <gtest/gtest.h>

#include <limits>
#include <random>
#include <thread>
#include <vector>

#include "base/cpu.h"
#include "linear/multiply_problem.h"

namespace rsr {
namespace {

TEST(Multiply, ResultsDoNotDependOnThreadsOrIsa) {
  const Problem p = ternary_problem(100, 300, 5);
  const Weight weight = prepare(ternary(p.w, 100, 300)).value();
  std::vector<float> first;
  for (const int threads : {1, 2, 5}) {
    for (const base::Isa isa : base::kAllIsas) {
      if (!base::has_isa(isa)) continue;
      const Context context =
          Context::create({.threads = threads, .isa = base::isa_name(isa)}).value();
      std::vector<float> y(p.y.size());
      ASSERT_TRUE(multiply(context, weight, p.xf, y).ok());
      if (first.empty()) first = y;
      EXPECT_EQ(y, first) << threads << " threads, " << base::isa_name(isa);
    }
  }
}

TEST(Multiply, SharedWeightAndContextFromSeveralThreads) {
  const Problem p = ternary_problem(64, 200, 2);
  const Weight weight = prepare(ternary(p.w, 64, 200)).value();
  const Context shared = Context::create({.threads = 2}).value();
  std::vector<std::vector<int32_t>> results(6, std::vector<int32_t>(p.y.size()));
  {
    std::vector<std::jthread> callers;
    for (size_t i = 0; i < results.size(); ++i) {
      callers.emplace_back([&, i] {
        const Context own = Context::create({.threads = 1}).value();
        for (int n = 0; n < 20; ++n) {
          ASSERT_TRUE(multiply(i % 2 == 0 ? shared : own, weight, p.x, results[i]).ok());
        }
      });
    }
  }
  for (const auto& y : results) EXPECT_EQ(y, p.y);
}

// A fast path that is silently off would pass every other test.
TEST(Multiply, TheForcedInstructionSetIsTheOneThatRuns) {
  const Weight weight = prepare(ternary(std::vector<int8_t>(64), 8, 8)).value();
  const Context any = Context::create({.isa = "reference"}).value();
  EXPECT_TRUE(linear::explain_kernel(any.impl(), weight, Inputs::floats)
                  .starts_with("matvec_t2_f32_reference:"));
  EXPECT_TRUE(linear::explain_kernel(any.impl(), linear::Dense{.format = linear::Float16::f16})
                  .starts_with("dense_f16_f32_reference:"));
  for (const base::Isa isa : base::kAllIsas) {
    if (!base::has_isa(isa)) continue;
    const Context context = Context::create({.isa = base::isa_name(isa)}).value();
    EXPECT_EQ(context.isa(), base::isa_name(isa));
    // Tiles multiply batches only.
    const auto* matvec = base::isa_name(isa == base::Isa::amx ? base::Isa::avx512vbmi : isa);
    const std::string expected = std::string("matvec_t2_i8_") + matvec + ":";
    EXPECT_EQ(linear::explain_kernel(context.impl(), weight).substr(0, expected.size()), expected);
  }
  // What is prepared for one kind of input is packed in the format that suits the instruction set.
  const auto format = [](Inputs inputs, const char* isa) {
    return prepare(ternary(std::vector<int8_t>(64), 8, 8), {.inputs = inputs, .isa = isa})
        ->describe()
        .substr(0, 3);
  };
  EXPECT_EQ(format(Inputs::int8, "reference"), "t2,");
  if (base::has_isa(base::Isa::avx512bw)) {
    EXPECT_EQ(format(Inputs::floats, "avx512bw"), "t3,");
  }
  if (base::has_isa(base::Isa::avx512vbmi)) {
    EXPECT_EQ(format(Inputs::int8, "avx512vbmi"), "t5,");
  }
}

TEST(Prepare, RefusesBadOptionsByName) {
  const std::vector<int8_t> w(12);
  const MatrixView view = ternary(w, 3, 4);
  const auto message = [&](const PrepareOptions& o) { return prepare(view, o).status().message(); };
  const float nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(message({.scale = nan}), "scale: nan; it must be finite");
  const std::vector<float> bad = {1, nan, 1};
  EXPECT_EQ(message({.row_scales = bad}),
            "row_scales: row 1, group 0 is nan; scales must be finite");
  const std::vector<float> two = {1, 2};
  EXPECT_EQ(message({.row_scales = two}), "row_scales: 2 scales given, 3 needed");
  EXPECT_EQ(message({.group_scales = two, .group_size = 2}),
            "group_scales: 2 scales given, 6 needed");
  EXPECT_FALSE(prepare(view, {.group_scales = two}).ok());
  EXPECT_FALSE(prepare(view, {.group_size = 2}).ok());
  EXPECT_FALSE(prepare(view, {.algorithm = Algorithm::rsr, .k = 17}).ok());
  EXPECT_FALSE(prepare(view, {.algorithm = Algorithm::rsr, .k = -1}).ok());
  const auto fold = message({.algorithm = Algorithm::rsr, .form = RsrForm::fold, .k = 8});
  EXPECT_NE(fold.find('7'), std::string::npos) << fold;  // names the limit
  EXPECT_EQ(message({}), "");
}

TEST(Multiply, RefusesWrongLengthsAndValues) {
  const Weight weight = prepare(ternary(std::vector<int8_t>(12), 3, 4)).value();
  const Context context = Context::create().value();
  std::vector<float> x(8, 1.0f);
  std::vector<float> y(6);
  EXPECT_TRUE(multiply(context, weight, x, y).ok());
  EXPECT_EQ(multiply(context, weight, std::span(x).first(7), y).message(),
            "x: 7 elements are not a positive multiple of the matrix's 4 columns");
  EXPECT_FALSE(multiply(context, weight, std::span<const float>(), std::span<float>()).ok());
  EXPECT_EQ(multiply(context, weight, x, std::span(y).first(5)).message(),
            "y: 5 elements; a batch of 2 and 3 rows need exactly 6");
  x[5] = -std::numeric_limits<float>::infinity();
  EXPECT_EQ(multiply(context, weight, x, y).message(),
            "x: row 1, column 1 is -inf; inputs must be finite");
  const std::vector<float> group_scales(3);
  const Weight grouped = prepare(ternary(std::vector<int8_t>(12), 3, 4),
                                 {.group_scales = group_scales, .group_size = 4})
                             .value();
  std::vector<int32_t> yi(3);
  EXPECT_FALSE(multiply(context, grouped, std::vector<int8_t>(4), yi).ok());
}

TEST(Context, RefusesBadOptions) {
  EXPECT_FALSE(Context::create({.threads = -1}).ok());
  EXPECT_FALSE(Context::create({.threads = 1'000'000}).ok());
  EXPECT_FALSE(Context::create({.isa = "sse9"}).ok());
  EXPECT_EQ(Context::create().value().threads(), base::usable_cores());
}

TEST(Dense, SameBitsForAnyThreadsAndBatch) {
  constexpr int64_t kRows = 37;
  constexpr int64_t kCols = 90;
  std::mt19937 random(2);
  std::vector<uint16_t> w(kRows * kCols);
  std::vector<float> x(3 * kCols);
  for (auto& v : w) v = static_cast<uint16_t>(0x3F00 + random() % 256);
  for (auto& v : x) v = static_cast<float>(random() % 1000) * 0.001f - 0.5f;
  const linear::Dense dense{.weight = w.data(), .rows = kRows, .cols = kCols};
  const Context one = Context::create({.threads = 1}).value();
  const Context four = Context::create({.threads = 4}).value();
  std::vector<float> together(3 * kRows);
  std::vector<float> alone(3 * kRows);
  linear::multiply_dense(four.impl(), dense, x.data(), 3, together.data());
  for (int t = 0; t < 3; ++t) {
    linear::multiply_dense(one.impl(), dense, x.data() + t * kCols, 1, alone.data() + t * kRows);
  }
  EXPECT_EQ(together, alone);
}

}  // namespace
}  // namespace rsr
