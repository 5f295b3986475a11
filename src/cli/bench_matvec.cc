#include "cli/bench_matvec.h"

#include <algorithm>
#include <cmath>
#include <random>

#include "base/check.h"
#include "base/cpu.h"
#include "cli/read_bandwidth.h"
#include "cli/timing.h"
#include "linear/linear.h"

namespace rsr::cli {
namespace {

using base::error;

// Cold: copies of the matrix are used in turn, and until one comes back this much else was read.
constexpr int64_t kColdBytes = int64_t{640} << 20;
constexpr int kWarmup = 3;
constexpr int64_t kMostElements = int64_t{1} << 31;

/// A random matrix with inputs and room for the outputs.
struct Problem {
  std::vector<int8_t> w;
  std::vector<int8_t> x_i8;
  std::vector<float> x_f32;
  std::vector<int32_t> y_i32;
  std::vector<float> y_f32;

  explicit Problem(const MatvecBenchOptions& o)
      : w(o.rows * o.cols),
        x_i8(o.batch * o.cols),
        x_f32(o.batch * o.cols),
        y_i32(o.batch * o.rows),
        y_f32(o.batch * o.rows) {
    std::mt19937_64 random(1);
    const bool is_ternary = o.bits == "ternary";
    for (int8_t& v : w) {
      v = static_cast<int8_t>(is_ternary ? static_cast<int>(random() % 3) - 1
                                         : static_cast<int>(random() & 1));
    }
    std::normal_distribution<float> normal;
    for (size_t i = 0; i < x_i8.size(); ++i) {
      x_f32[i] = normal(random);
      x_i8[i] = static_cast<int8_t>(std::lrint(std::clamp(x_f32[i] * 32, -128.0f, 127.0f)));
    }
  }
};

/// One product through the public library or, quantised, as a model runs it.
class Product {
 public:
  Product(const MatvecBenchOptions& options, const Context& context, Problem& problem)
      : options_(options), context_(context), problem_(problem) {}

  Status run(const Weight& weight) {
    if (options_.activation == "int8") {
      return multiply(context_, weight, problem_.x_i8, problem_.y_i32);
    }
    if (options_.activation == "fp32") {
      return multiply(context_, weight, problem_.x_f32, problem_.y_f32);
    }
    activations_.quantize(context_.impl(), problem_.x_f32.data(), options_.batch, options_.cols);
    linear::multiply(context_.impl(), weight, activations_, problem_.y_f32.data());
    return {};
  }

  /// Compares the last result with the plain product of the same inputs; gives what was compared.
  Result<int64_t> check() const {
    const bool exact = options_.activation == "int8";
    for (int64_t t = 0; t < options_.batch; ++t) {
      for (int64_t r = 0; r < options_.rows; ++r) {
        const int64_t at = t * options_.rows + r;
        const auto [sum, tolerance] = expected(t, r);
        const double found = exact ? problem_.y_i32[at] : static_cast<double>(problem_.y_f32[at]);
        if (!(std::fabs(found - sum) <= tolerance)) {
          return error(ErrorCode::corrupt_data, "wrong result: token ", t, ", row ", r, " is ",
                       found, ", the plain product is ", sum);
        }
      }
    }
    return options_.batch * options_.rows;
  }

 private:
  struct Expected {
    double sum;
    double tolerance;
  };

  Expected expected(int64_t token, int64_t row) const {
    const int8_t* w = problem_.w.data() + row * options_.cols;
    if (options_.activation == "fp32") {
      const float* x = problem_.x_f32.data() + token * options_.cols;
      double sum = 0;
      double magnitude = 0;
      for (int64_t c = 0; c < options_.cols; ++c) {
        sum += w[c] * static_cast<double>(x[c]);
        magnitude += std::fabs(static_cast<double>(x[c]));
      }
      return {sum, 1e-5 * magnitude};
    }
    const bool quantised = options_.activation == "quantised";
    const int8_t* x = quantised ? activations_.values() + token * activations_.stride()
                                : problem_.x_i8.data() + token * options_.cols;
    int32_t sum = 0;
    for (int64_t c = 0; c < options_.cols; ++c) sum += w[c] * x[c];
    if (!quantised) return {static_cast<double>(sum), 0};
    const double scaled = sum * static_cast<double>(activations_.inverse_scales()[token]);
    return {scaled, 1e-6 * std::fabs(scaled)};
  }

  const MatvecBenchOptions& options_;
  const Context& context_;
  Problem& problem_;
  linear::Activations activations_;
};

Result<PrepareOptions> prepare_options(const MatvecBenchOptions& o) {
  if (o.rows < 1 || o.cols < 1 || o.batch < 1 || o.rows > kMostElements / o.cols ||
      o.batch > kMostElements / std::max(o.rows, o.cols)) {
    return error(ErrorCode::invalid_argument, "--rows ", o.rows, " --cols ", o.cols, " --batch ",
                 o.batch, ": each at least 1, and no more than 2^31 elements in a matrix");
  }
  PrepareOptions options;
  options.k = o.k;
  if (o.algorithm == "multiply-add") options.algorithm = Algorithm::multiply_add;
  if (o.algorithm == "rsr") options.algorithm = Algorithm::rsr;
  if (o.form == "fold") options.form = RsrForm::fold;
  if (o.form == "gray") options.form = RsrForm::gray;
  return options;
}

MatvecRecord record(const Timings& timings, bool cold) {
  return {cold, timings.median() * 1e9, timings.least() * 1e9, timings.most() * 1e9};
}

/// Times the product warm (one matrix) and cold (copies in turn), and reading before and after.
void measure(const Weight& weight, const Context& context, const MatvecBenchOptions& o,
             Product& product, MatvecReport& report) {
  const int64_t cold_bytes = std::max(kColdBytes, 2 * base::last_level_cache_bytes());
  const ReadBandwidth read(cold_bytes);
  std::vector<double> bandwidth;
  const auto read_passes = [&] {
    for (int i = 0; i < 5; ++i) bandwidth.push_back(read.measure(context.impl().pool));
  };
  std::vector<Weight> copies = {weight};
  for (int64_t bytes = weight.nbytes(); bytes < cold_bytes; bytes += weight.nbytes()) {
    copies.push_back(linear::deep_copy(weight));
  }
  Status status;
  const auto keep = [&](const Status& s) {
    if (!s.ok()) status = s;
  };
  read_passes();
  const Timings cold = time_calls(kWarmup, o.repeats, [&](int i) {
    keep(product.run(copies[static_cast<size_t>(i) % copies.size()]));
  });
  read_passes();
  const Timings warm = time_calls(kWarmup, o.repeats, [&](int) { keep(product.run(weight)); });
  RSR_CHECK(status.ok());  // the same call succeeded when it was checked
  report.records = {record(cold, true), record(warm, false)};
  std::sort(bandwidth.begin(), bandwidth.end());
  report.read_bandwidth = bandwidth[bandwidth.size() / 2];
}

}  // namespace

Result<MatvecReport> bench_matvec(const MatvecBenchOptions& o) {
  RSR_ASSIGN_OR_RETURN(const PrepareOptions options, prepare_options(o));
  RSR_ASSIGN_OR_RETURN(const Context context, Context::create({.threads = o.threads}));
  Problem problem(o);
  const MatrixView view =
      o.bits == "binary" ? binary(problem.w, o.rows, o.cols) : ternary(problem.w, o.rows, o.cols);
  MatvecReport report;
  const double begin = now_seconds();
  RSR_ASSIGN_OR_RETURN(const Weight weight, prepare(view, options));
  report.prepare_seconds = now_seconds() - begin;
  Product product(o, context, problem);
  RSR_RETURN_IF_ERROR(product.run(weight));
  RSR_ASSIGN_OR_RETURN(report.checked_rows, product.check());
  report.cpu = base::cpu_name();
  report.isa = context.isa();
  report.threads = context.threads();
  report.format = weight.describe();
  const bool floats = o.activation == "fp32";
  report.kernel = linear::explain_kernel(context.impl(), weight,
                                         floats ? linear::Inputs::floats : linear::Inputs::int8);
  report.kernel.resize(report.kernel.find(':'));
  report.bytes = weight.nbytes();
  report.bits_per_weight = 8.0 * static_cast<double>(weight.nbytes()) /
                           (static_cast<double>(o.rows) * static_cast<double>(o.cols));
  measure(weight, context, o, product, report);
  return report;
}

}  // namespace rsr::cli
