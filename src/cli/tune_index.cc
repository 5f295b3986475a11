// rsr tune: indexes for batches against what the cost model says of them.
#include <limits>

#include "base/check.h"
#include "cli/time_in_turn.h"
#include "cli/tune_run.h"
#include "linear/batch_index.h"
#include "linear/context.h"

namespace rsr::cli {
namespace {

constexpr int64_t kIndexBatch = 128;

/// What the cost model says, whatever was tuned before.
double predicted_gain(const Context::Impl& context, const Weight& plain,
                      const Weight::BatchIndex& index) {
  const auto& packed = std::get<matrix::Packed>(plain.impl().packed);
  linear::CostQuestion question = linear::gray_question(
      context.kernels, {index.stream, static_cast<double>(index.stream.additions), index.floats(),
                        index.compiled()});
  question.speed = 1;
  question.batch = kIndexBatch;
  question.threads = context.pool.threads();
  const int64_t rows = linear::rows_of_call(packed.rows(), 1, question.threads);
  const double rate =
      linear::assumed_rate(context.kernels, packed.format(), {kIndexBatch, rows}, index.floats());
  return linear::assumed_rate(question) / rate;
}

}  // namespace

/// From the cache, as a model's prompt would find it after its first vectors.
Result<std::vector<TuneRecord>> TuneRun::measure_index(const TuneJob& job) {
  const IndexKind kind = *job.index;
  PrepareOptions options{.inputs = kind.floats ? Inputs::floats : Inputs::int8};
  const std::string isa = context_.isa();
  options.isa = isa;
  const MatrixView view =
      job.binary ? binary(matrix_, job.rows, job.cols) : ternary(matrix_, job.rows, job.cols);
  RSR_ASSIGN_OR_RETURN(const Weight plain, prepare(view, options));
  const Weight weight = with_batch_index(
      context_, plain,
      {.most_bytes = std::numeric_limits<int64_t>::max(), .jit = kind.compiled, .always = true});
  const Weight::BatchIndex* index = weight.batch_index();
  // A system may forbid code: then there is nothing to measure.
  if (index == nullptr || index->compiled() != kind.compiled) return std::vector<TuneRecord>{};
  BenchProduct product(matrix_, *shape_, kind.floats ? Activation::fp32 : Activation::quantised,
                       kIndexBatch);
  RSR_RETURN_IF_ERROR(product.run(context_, weight));
  RSR_RETURN_IF_ERROR(product.check().status());
  const std::vector<double> seconds =
      time_in_turn({true, true}, options_.repeats, 1, [&](size_t trial, size_t) {
        RSR_CHECK(product.run(context_, trial == 0 ? plain : weight).ok());  // it just was
      });
  indexes_[{kind.floats, kind.compiled}].push_back(
      {predicted_gain(context_.impl(), plain, *index), seconds[0], seconds[1]});
  return std::vector<TuneRecord>{{job, kIndexBatch, "index", {"packed", "index"}, seconds}};
}

}  // namespace rsr::cli
