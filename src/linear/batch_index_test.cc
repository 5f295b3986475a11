// Indexes for batches through the public calls: exact products, with and without them.
#include <gtest/gtest.h>

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "base/cpu.h"
#include "base/forbid_executable_memory.h"
#include "linear/batch_index.h"
#include "linear/linear.h"
#include "linear/multiply_problem.h"

namespace rsr {
namespace {

constexpr int64_t kPlenty = int64_t{1} << 30;

std::vector<std::string> isas() {
  std::vector<std::string> names;
  for (const base::Isa isa : base::kAllIsas) {
    if (isa != base::Isa::reference && base::has_isa(isa)) names.emplace_back(base::isa_name(isa));
  }
  return names;
}

Context context_of(const std::string& isa, int threads = 1) {
  return Context::create({.threads = threads, .isa = isa}).value();
}

Weight weight_of(const Problem& problem, bool signs, const std::string& isa,
                 PrepareOptions options = {}) {
  options.isa = isa;
  if (options.inputs == Inputs::any) options.inputs = Inputs::int8;
  const MatrixView view = signs ? rsr::signs(problem.w, problem.rows, problem.cols)
                                : ternary(problem.w, problem.rows, problem.cols);
  return prepare(view, options).value();
}

void expect_product(const Context& context, const Weight& weight, const Problem& problem) {
  std::vector<int32_t> y(problem.y.size());
  ASSERT_TRUE(multiply(context, weight, problem.x, y).ok());
  EXPECT_EQ(y, problem.y);
}

TEST(BatchIndex, GivesTheSameSums) {
  for (const std::string& isa : isas()) {
    for (const int threads : {1, 3}) {
      const Context context = context_of(isa, threads);
      for (const bool signs : {false, true}) {
        for (const bool jit : {false, true}) {
          for (const int64_t batch : {int64_t{9}, int64_t{33}}) {
            const Problem problem =
                signs ? signs_problem(131, 700, batch) : ternary_problem(131, 700, batch);
            std::string notice;
            const Weight weight =
                with_batch_index(context, weight_of(problem, signs, isa),
                                 {.most_bytes = kPlenty, .jit = jit, .always = true}, &notice);
            ASSERT_NE(weight.batch_index(), nullptr) << isa << ": " << notice;
            EXPECT_EQ(notice, "");
            EXPECT_EQ(weight.batch_index()->compiled(), jit);
            EXPECT_EQ(weight.index_bytes(), weight.batch_index()->nbytes());
            const std::string runs =
                linear::explain_kernel(context.impl(), weight, Inputs::int8, batch);
            EXPECT_EQ(runs.substr(0, 12), "gemm_gray_i8") << runs;
            SCOPED_TRACE(isa + (jit ? " compiled" : " stream"));
            expect_product(context, weight, problem);
          }
        }
      }
    }
  }
}

// Quantised products of several matrices in one pass: all with an index, or only one of them.
TEST(BatchIndex, SharesAPass) {
  for (const std::string& isa : isas()) {
    const Context context = context_of(isa, 2);
    const Problem a = ternary_problem(50, 500, 40);
    const Problem b = ternary_problem(300, 500, 40);
    const BatchIndexOptions options{.most_bytes = kPlenty, .jit = false, .always = true};
    const Weight plain[] = {weight_of(a, false, isa), weight_of(b, false, isa)};
    const Weight indexed[] = {with_batch_index(context, plain[0], options),
                              with_batch_index(context, plain[1], options)};
    const auto product = [&](const Weight& first, const Weight& second) {
      std::vector<std::vector<float>> y = {std::vector<float>(a.y.size()),
                                           std::vector<float>(b.y.size())};
      const Product products[] = {{&first, y[0]}, {&second, y[1]}};
      EXPECT_TRUE(multiply_quantised(context, products, a.xf).ok());
      return y;
    };
    const auto expected = product(plain[0], plain[1]);
    EXPECT_EQ(product(indexed[0], indexed[1]), expected) << isa;
    EXPECT_EQ(product(indexed[0], plain[1]), expected) << isa;
  }
}

// An index that was made for vectors of another width is not read.
TEST(BatchIndex, OfAnotherInstructionSetIsLeftAlone) {
  if (!base::has_isa(base::Isa::avx512bw)) GTEST_SKIP() << "one width only";
  const Problem problem = ternary_problem(64, 600, 40);
  const Context wide = context_of("avx512bw");
  const Context narrow = context_of("avx2");
  const BatchIndexOptions options{.most_bytes = kPlenty, .jit = true, .always = true};
  expect_product(narrow, with_batch_index(wide, weight_of(problem, false, "avx2"), options),
                 problem);
  expect_product(wide, with_batch_index(narrow, weight_of(problem, false, "avx2"), options),
                 problem);
  expect_product(context_of("reference"),
                 with_batch_index(wide, weight_of(problem, false, "avx2"), options), problem);
}

TEST(BatchIndex, StaysWithinItsBytes) {
  const std::string isa = isas().empty() ? "" : isas().front();
  if (isa.empty()) GTEST_SKIP() << "no kernel here";
  const Context context = context_of(isa);
  const Problem problem = ternary_problem(128, 512, 1);
  const Weight weight = weight_of(problem, false, isa);
  const auto with = [&](int64_t bytes, bool jit, std::string* notice) {
    return with_batch_index(context, weight, {bytes, jit, true}, notice);
  };
  std::string notice;
  const int64_t stream = with(kPlenty, false, &notice).index_bytes();
  const int64_t code = with(kPlenty, true, &notice).index_bytes();
  ASSERT_GT(stream, 0);
  ASSERT_GT(code, 2 * stream);
  EXPECT_EQ(with(stream, false, &notice).index_bytes(), stream);
  EXPECT_EQ(notice, "");
  EXPECT_EQ(with(stream - 1, false, &notice).index_bytes(), 0);
  EXPECT_EQ(notice, "it needs more memory than it may take");
  EXPECT_EQ(with(stream, true, &notice).index_bytes(), stream);
  EXPECT_EQ(notice, "machine code needs more memory than it may take");
  EXPECT_EQ(with(code - 1, true, &notice).index_bytes(), stream);
  EXPECT_EQ(with(code, true, &notice).index_bytes(), code);
  EXPECT_EQ(with(1, true, &notice).index_bytes(), 0);
  EXPECT_EQ(with(0, true, &notice).index_bytes(), 0);
  EXPECT_EQ(with(-1, true, &notice).index_bytes(), 0);
}

TEST(BatchIndex, SaysWhyThereIsNone) {
  const Problem problem = ternary_problem(32, 256, 1);
  std::string notice;
  const auto ask = [&](const Context& context, const Weight& weight) {
    const Weight given =
        with_batch_index(context, weight, {.most_bytes = kPlenty, .always = true}, &notice);
    EXPECT_EQ(given.index_bytes(), 0);
    return notice;
  };
  const Context reference = context_of("reference");
  EXPECT_EQ(ask(reference, weight_of(problem, false, "reference")),
            "instruction set reference has no kernel for it");
  const std::vector<float> scales(32 * 2, 1.0f);
  EXPECT_EQ(ask(reference, weight_of(problem, false, "reference",
                                     {.group_scales = scales, .group_size = 128})),
            "the weight has scales per group of columns");
  EXPECT_EQ(ask(reference, weight_of(problem, false, "reference", {.inputs = Inputs::floats})),
            "instruction set reference has no kernel for it");
  EXPECT_EQ(ask(reference, weight_of(problem, false, "reference", {.algorithm = Algorithm::rsr})),
            "the weight is an index of RSR itself");
}

// A system that forbids machine code: the index is a list of columns, and the reason is told.
TEST(BatchIndex, WithoutExecutableMemory) {
  const std::string isa = isas().empty() ? "" : isas().front();
  if (isa.empty()) GTEST_SKIP() << "no kernel here";
  const Context context = context_of(isa);
  const Problem problem = ternary_problem(64, 512, 20);
  const Weight weight = weight_of(problem, false, isa);
  const auto verdict = base::without_executable_memory([&] {
    std::string notice;
    const Weight indexed = with_batch_index(
        context, weight, {.most_bytes = kPlenty, .jit = true, .always = true}, &notice);
    const bool told = notice.find("does not let a program make code") != std::string::npos;
    std::vector<int32_t> y(problem.y.size());
    const bool right = multiply(context, indexed, problem.x, y).ok() && y == problem.y;
    return told && right && indexed.index_bytes() > 0 && !indexed.batch_index()->compiled();
  });
  if (verdict == base::Verdict::cannot_tell) GTEST_SKIP() << "no seccomp here";
  EXPECT_EQ(verdict, base::Verdict::holds);
}

// Where the planner expects no gain there is no index, and where it does, it is used.
TEST(BatchIndex, OnlyWhereItGains) {
  if (!base::has_isa(base::Isa::avx512vnni)) GTEST_SKIP() << "needs AVX-512 VNNI";
  const Context context = context_of("avx512vnni");
  const auto index_of = [&](double zeros, bool jit) {
    std::vector<int8_t> values(640 * 2560);
    std::mt19937 random(1);
    for (int8_t& v : values) {
      const double drawn = static_cast<double>(random() % 1000) / 1000;
      v = drawn < zeros ? int8_t{0} : random() % 2 == 0 ? int8_t{1} : int8_t{-1};
    }
    const Weight weight =
        prepare(ternary(values, 640, 2560), {.inputs = Inputs::int8, .isa = "avx512vnni"}).value();
    return with_batch_index(context, weight, {.most_bytes = kPlenty, .jit = jit}).index_bytes();
  };
  EXPECT_EQ(index_of(0.33, false), 0);
  EXPECT_GT(index_of(0.90, false), 0);
  EXPECT_GT(index_of(0.70, true), 0);
}

}  // namespace
}  // namespace rsr
