// The public library against a plain product: formats, algorithms, scales, shapes, errors.
#include "linear/linear.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <thread>
#include <vector>

#include "base/cpu.h"

namespace rsr {
namespace {

/// A random matrix and batch with its exact product.
struct Problem {
  int64_t rows;
  int64_t cols;
  int64_t batch;
  std::vector<int8_t> w;
  std::vector<int8_t> x;
  std::vector<float> xf;
  std::vector<int32_t> y;  // W x

  Problem(int64_t r, int64_t c, int64_t tokens, int low, int high, unsigned seed = 1)
      : rows(r), cols(c), batch(tokens), w(r * c), x(tokens * c), xf(tokens * c), y(tokens * r) {
    std::mt19937 random(seed);
    const bool only_signs = low == -1 && high == 2;  // how signs_problem() asks for -1 and +1
    for (auto& v : w) {
      v = static_cast<int8_t>(only_signs ? (random() % 2 != 0 ? 1 : -1)
                                         : low + static_cast<int>(random() % (high - low + 1)));
    }
    std::normal_distribution<float> normal;
    for (auto& v : x) v = static_cast<int8_t>(static_cast<int>(random() % 256) - 128);
    for (auto& v : xf) v = normal(random);
    for (int64_t t = 0; t < batch; ++t) {
      for (int64_t i = 0; i < rows; ++i) {
        for (int64_t j = 0; j < cols; ++j) y[t * rows + i] += w[i * cols + j] * x[t * cols + j];
      }
    }
  }
};

Problem ternary_problem(int64_t r, int64_t c, int64_t t) {
  return {r, c, t, -1, 1};
}
Problem binary_problem(int64_t r, int64_t c, int64_t t) {
  return {r, c, t, 0, 1};
}
Problem signs_problem(int64_t r, int64_t c, int64_t t) {
  return {r, c, t, -1, 2};
}

struct Way {
  Algorithm algorithm;
  RsrForm form;
  int k;
  Inputs inputs = Inputs::any;
};

std::vector<Way> all_ways() {
  std::vector<Way> ways = {{Algorithm::automatic, RsrForm::scatter, 0},
                           {Algorithm::multiply_add, RsrForm::scatter, 0, Inputs::int8},
                           {Algorithm::multiply_add, RsrForm::scatter, 0, Inputs::floats}};
  for (const RsrForm form : {RsrForm::scatter, RsrForm::fold, RsrForm::gray}) {
    for (const int k : {0, 1, 3, 7}) ways.push_back({Algorithm::rsr, form, k});
  }
  ways.push_back({Algorithm::rsr, RsrForm::scatter, 16});
  return ways;
}

void expect_exact(const Problem& p, const MatrixView& view) {
  for (const base::Isa isa : base::kAllIsas) {
    if (!base::has_isa(isa)) continue;
    const Context context = Context::create({.threads = 2, .isa = base::isa_name(isa)}).value();
    for (const Way& way : all_ways()) {
      const auto weight = prepare(
          view, {.inputs = way.inputs, .algorithm = way.algorithm, .form = way.form, .k = way.k});
      ASSERT_TRUE(weight.ok()) << weight.status().message();
      std::vector<int32_t> y(p.y.size(), -99);
      const Status status = multiply(context, *weight, p.x, y);
      ASSERT_TRUE(status.ok()) << status.message();
      EXPECT_EQ(y, p.y) << weight->describe() << " " << base::isa_name(isa) << " " << p.rows
                        << " x " << p.cols << " batch " << p.batch;
    }
  }
}

TEST(Multiply, IntegersAreExactInEveryWayOnEveryIsa) {
  for (const int64_t rows : {1, 2, 15, 16, 17, 33, 100}) {
    for (const int64_t cols : {1, 2, 5, 16, 17, 64, 130}) {
      for (const int64_t batch : {1, 3}) {
        const Problem t = ternary_problem(rows, cols, batch);
        expect_exact(t, ternary(t.w, rows, cols));
        const Problem b = binary_problem(rows, cols, batch);
        expect_exact(b, binary(b.w, rows, cols));
        const Problem s = signs_problem(rows, cols, batch);
        expect_exact(s, signs(s.w, rows, cols));
      }
    }
  }
}

TEST(Multiply, WideMatricesAndLongBatches) {
  const Problem wide = ternary_problem(5, 70'003, 1);
  expect_exact(wide, ternary(wide.w, 5, 70'003));
  const Problem batch = binary_problem(20, 30, 131);
  expect_exact(batch, binary(batch.w, 20, 30));
}

/// scale of row r, column c, as the options say.
double scale_at(const PrepareOptions& o, int64_t r, int64_t c, int64_t cols) {
  double scale = o.scale;
  if (!o.row_scales.empty()) scale *= o.row_scales[r];
  if (!o.group_scales.empty()) {
    scale *= o.group_scales[r * ((cols + o.group_size - 1) / o.group_size) + c / o.group_size];
  }
  return scale;
}

void expect_close(const Problem& p, const MatrixView& view, PrepareOptions options) {
  for (const Way& way : all_ways()) {
    options.inputs = way.inputs;
    options.algorithm = way.algorithm;
    options.form = way.form;
    options.k = way.k;
    const auto weight = prepare(view, options);
    ASSERT_TRUE(weight.ok()) << weight.status().message();
    const Context context = Context::create({.threads = 3}).value();
    std::vector<float> y(p.y.size());
    ASSERT_TRUE(multiply(context, *weight, p.xf, y).ok());
    for (int64_t t = 0; t < p.batch; ++t) {
      double all = 0;
      for (int64_t c = 0; c < p.cols; ++c) all += std::fabs(p.xf[t * p.cols + c]);
      for (int64_t r = 0; r < p.rows; ++r) {
        double sum = 0;
        double largest_scale = 0;
        for (int64_t c = 0; c < p.cols; ++c) {
          const double s = scale_at(options, r, c, p.cols);
          sum += s * p.w[r * p.cols + c] * p.xf[t * p.cols + c];
          largest_scale = std::max(largest_scale, std::fabs(s));
        }
        // The forms' own bounds are at most about 130 roundings of the sum of all |x| here: 70 of a
        // group or run, doubled for matrices of signs, and a few for scales and segments.
        EXPECT_NEAR(y[t * p.rows + r], sum, 160 * 0x1p-24 * all * largest_scale)
            << weight->describe();
      }
    }
  }
}

TEST(Multiply, FloatsWithEveryKindOfScale) {
  std::mt19937 random(9);
  std::uniform_real_distribution<float> uniform(-2, 2);
  using Shape = std::tuple<int64_t, int64_t, int64_t>;
  for (const auto& [rows, cols, group] : {Shape{7, 40, 16}, Shape{33, 130, 64}, Shape{20, 50, 7},
                                          Shape{3, 5, 1}, Shape{17, 33, 100}}) {
    std::vector<float> row_scales(rows);
    std::vector<float> group_scales(rows *
                                    ((cols + std::min(group, cols) - 1) / std::min(group, cols)));
    for (float& s : row_scales) s = uniform(random);
    for (float& s : group_scales) s = uniform(random);
    const Problem t = ternary_problem(rows, cols, 3);
    const MatrixView tv = ternary(t.w, rows, cols);
    expect_close(t, tv, {.scale = 0.25f});
    expect_close(t, tv, {.row_scales = row_scales});
    expect_close(t, tv, {.group_scales = group_scales, .group_size = std::min(group, cols)});
    const Problem s = signs_problem(rows, cols, 2);
    expect_close(s, signs(s.w, rows, cols),
                 {.scale = 3,
                  .row_scales = row_scales,
                  .group_scales = group_scales,
                  .group_size = std::min(group, cols)});
  }
}

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
    const std::string expected = std::string("matvec_t2_i8_") + base::isa_name(isa) + ":";
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

TEST(Multiply, QuantisedActivationsFollowTheRule) {
  const Problem p = ternary_problem(50, 77, 4);
  const Weight weight = prepare(ternary(p.w, 50, 77), {.scale = 0.3f}).value();
  const Context context = Context::create({.threads = 2}).value();
  linear::Activations x;
  x.quantize(context.impl(), p.xf.data(), p.batch, p.cols);
  std::vector<float> y(p.y.size());
  linear::multiply(context.impl(), weight, x, y.data());
  for (int64_t t = 0; t < p.batch; ++t) {
    float m = 1e-5f;
    for (int64_t c = 0; c < p.cols; ++c) m = std::max(m, std::fabs(p.xf[t * p.cols + c]));
    for (int64_t r = 0; r < p.rows; ++r) {
      int32_t sum = 0;
      for (int64_t c = 0; c < p.cols; ++c) {
        const auto q = static_cast<int32_t>(std::nearbyint(p.xf[t * p.cols + c] * (127.0f / m)));
        sum += q * p.w[r * p.cols + c];
      }
      EXPECT_EQ(y[t * p.rows + r], static_cast<float>(sum) * (m / 127.0f) * 0.3f);
    }
  }
}

TEST(Multiply, QuantisedActivationsWithGroupScales) {
  const Problem p = ternary_problem(18, 50, 2);
  std::vector<float> group_scales(144);
  for (size_t i = 0; i < group_scales.size(); ++i)
    group_scales[i] = 0.1f * static_cast<float>(i % 7);
  const Context context = Context::create({.threads = 2}).value();
  linear::Activations x;
  x.quantize(context.impl(), p.xf.data(), p.batch, p.cols);
  for (const Algorithm algorithm : {Algorithm::multiply_add, Algorithm::rsr}) {
    const Weight weight =
        prepare(ternary(p.w, 18, 50),
                {.group_scales = group_scales, .group_size = 7, .algorithm = algorithm})
            .value();
    std::vector<float> y(p.y.size());
    linear::multiply(context.impl(), weight, x, y.data());
    for (int64_t t = 0; t < p.batch; ++t) {
      for (int64_t r = 0; r < p.rows; ++r) {
        double sum = 0;
        for (int64_t c = 0; c < p.cols; ++c) {
          sum += static_cast<double>(x.values()[t * x.stride() + c]) * p.w[r * p.cols + c] *
                 group_scales[r * 8 + c / 7] * x.inverse_scales()[t];
        }
        EXPECT_NEAR(y[t * p.rows + r], sum, 1e-5 * (1 + std::fabs(sum)));
      }
    }
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
