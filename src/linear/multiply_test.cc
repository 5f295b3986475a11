// Products against plain ones: formats, algorithms, scales, shapes.
#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

#include "base/cpu.h"
#include "linear/linear.h"
#include "linear/multiply_problem.h"

namespace rsr {
namespace {

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

}  // namespace
}  // namespace rsr
