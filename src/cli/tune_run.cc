#include "cli/tune_run.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "cli/bench_matvec.h"
#include "cli/time_in_turn.h"
#include "linear/context.h"
#include "linear/linear.h"

namespace rsr::cli {
namespace {

using linear::Knob;
using linear::Tuning;
using matrix::Format;

const char* knob_name(Knob knob) {
  switch (knob) {
    case Knob::prefetch:
      return "prefetch";
    case Knob::token_tile:
      return "token_tile";
    case Knob::gemm:
      return "gemm";
    case Knob::tables:
      return "tables";
  }
  return "?";
}

std::string trial_name(Knob knob, const Tuning& trial) {
  if (knob == Knob::prefetch) {
    return std::to_string(trial.prefetch.near) + "/" + std::to_string(trial.prefetch.far);
  }
  if (knob == Knob::gemm) return trial.gemm_batch == 2 ? "gemm" : "matvec";
  if (knob == Knob::tables) return trial.tables_gain > 0 ? "look-ups" : "gemm";
  return trial.token_tile == 0 ? "widest" : std::to_string(trial.token_tile);
}

}  // namespace

TuneRun::TuneRun(Context context, TuneOptions options)
    : context_(std::move(context)), options_(std::move(options)) {
  if (options_.cold_bytes == 0) options_.cold_bytes = default_cold_bytes();
}

Status TuneRun::use_matrix(const TuneJob& job) {
  constexpr int64_t kMostElements = int64_t{1} << 31;
  if (job.rows < 1 || job.cols < 1 || job.rows > kMostElements / job.cols) {
    return base::error(ErrorCode::invalid_argument, job.rows, " x ", job.cols,
                       ": at least 1 row and column, and no more than 2^31 elements");
  }
  const MatrixShape shape{job.rows, job.cols, job.binary, job.binary ? 50 : 33};
  if (shape_ == shape) return {};
  shape_ = shape;
  matrix_ = random_matrix(shape);
  return {};
}

/// As many copies as make the cold bytes, so that each is read from memory.
Result<std::vector<Weight>> TuneRun::copies(const TuneJob& job, int k) const {
  const std::string isa = context_.isa();
  PrepareOptions options;
  options.isa = isa;
  options.inputs = !job.form && tuned_with_floats(job.format) ? Inputs::floats : Inputs::int8;
  options.residency = job.format == Format::t2 ? Residency::cache : Residency::memory;
  options.algorithm = job.form ? Algorithm::rsr : Algorithm::multiply_add;
  options.form = job.form.value_or(RsrForm::scatter);
  options.k = k;
  const MatrixView view =
      job.binary ? binary(matrix_, job.rows, job.cols) : ternary(matrix_, job.rows, job.cols);
  RSR_ASSIGN_OR_RETURN(Weight weight, prepare(view, options));
  std::vector<Weight> all = {std::move(weight)};
  const int64_t one = all.front().nbytes();
  while (static_cast<int64_t>(all.size()) * one < options_.cold_bytes) {
    all.push_back(linear::deep_copy(all.front()));
  }
  return all;
}

Result<std::vector<TuneRecord>> TuneRun::measure(const TuneJob& job) {
  RSR_RETURN_IF_ERROR(use_matrix(job));
  if (job.index) return measure_index(job);
  return job.form ? measure_rsr(job) : measure_format(job);
}

/// One k after the other, since two sets of copies may not fit into memory.
Result<std::vector<TuneRecord>> TuneRun::measure_rsr(const TuneJob& job) {
  const auto alphabet = job.binary ? segment::Alphabet::binary : segment::Alphabet::ternary;
  const auto heights =
      linear::rsr_trials({context_.impl().isa, *job.form, alphabet, job.rows, job.cols});
  TuneRecord record{job, 1, "k", {}, {}};
  BenchProduct product(matrix_, *shape_, Activation::int8, 1);
  for (const int k : heights) {
    RSR_ASSIGN_OR_RETURN(const std::vector<Weight> weights, copies(job, k));
    RSR_RETURN_IF_ERROR(product.run(context_, weights.front()));
    RSR_RETURN_IF_ERROR(product.check().status());
    record.trials.push_back(std::to_string(k));
    record.seconds.push_back(
        time_in_turn({true}, options_.repeats, weights.size(), [&](size_t, size_t copy) {
          RSR_CHECK(product.run(context_, weights[copy]).ok());  // it just was
        }).front());
  }
  const int k = heights[linear::choose_trial({record.seconds})];
  rsr_.push_back({job.binary, *job.form, job.rows, job.cols, k});
  return std::vector<TuneRecord>{record};
}

Result<std::vector<TuneRecord>> TuneRun::measure_format(const TuneJob& job) {
  RSR_ASSIGN_OR_RETURN(const std::vector<Weight> weights, copies(job, 0));
  std::vector<TuneRecord> records;
  for (const int64_t batch : options_.batches) {
    const auto activation = tuned_with_floats(job.format) ? Activation::fp32 : Activation::int8;
    BenchProduct product(matrix_, *shape_, activation, batch);
    RSR_RETURN_IF_ERROR(product.run(context_, weights.front()));
    RSR_RETURN_IF_ERROR(product.check().status());
    for (const Knob knob : {Knob::prefetch, Knob::token_tile, Knob::gemm, Knob::tables}) {
      records.push_back(measure_knob(job, knob, batch, weights, product));
      if (records.back().seconds.empty()) records.pop_back();
    }
  }
  return records;
}

/// No times when no trial differs from the first.
TuneRecord TuneRun::measure_knob(const TuneJob& job, Knob knob, int64_t batch,
                                 const std::vector<Weight>& weights, BenchProduct& product) {
  linear::KernelSet& kernels = context_.impl().kernels;
  const linear::TuningTable before = kernels.tuning;
  kernels.tuning = linear::TuningTable(kernels.isa);  // which kernel runs must not be tuned already
  const auto tried = linear::trials(
      knob, kernels,
      {job.format, tuned_with_floats(job.format), job.rows, job.cols, batch, context_.threads()});
  TuneRecord record{job, batch, knob_name(knob), {}, {}};
  std::vector<bool> timed = {true};
  for (size_t i = 1; i < tried.size(); ++i) timed.push_back(!(tried[i] == tried[0]));
  if (std::count(timed.begin(), timed.end(), true) > 1) {
    record.seconds =
        time_in_turn(timed, options_.repeats, weights.size(), [&](size_t trial, size_t copy) {
          kernels.tuning.of(job.format) = tried[trial];
          RSR_CHECK(product.run(context_, weights[copy]).ok());  // measure_format() tried it
        });
    for (const Tuning& trial : tried) record.trials.push_back(trial_name(knob, trial));
    keep(record, knob, tried);
  }
  kernels.tuning = before;
  return record;
}

void TuneRun::keep(const TuneRecord& record, Knob knob, const std::vector<Tuning>& tried) {
  Measured& m = measured_[record.job.format];
  if (knob == Knob::gemm) {
    m.gemm.push_back({record.batch, record.seconds[0], record.seconds[1]});
    return;
  }
  if (knob == Knob::tables) {
    const int64_t rows = linear::rows_of_call(record.job.rows, 1, context_.threads());
    m.tables.push_back({rows, record.seconds[0], record.seconds[1]});
    return;
  }
  const bool prefetch = knob == Knob::prefetch;
  (prefetch ? m.prefetch : m.tiles).push_back(record.seconds);
  // Settings that one shape leaves out are the default's there: the list is that of all shapes.
  auto& all = prefetch ? m.prefetch_trials : m.tile_trials;
  if (all.empty()) all = tried;
  for (size_t i = 0; i < tried.size(); ++i) {
    if (!(tried[i] == tried[0])) all[i] = tried[i];
  }
}

Tuning TuneRun::best(Format format, Tuning tuning) const {
  const auto found = measured_.find(format);
  if (found == measured_.end()) return tuning;
  const Measured& m = found->second;
  const Tuning usual = linear::default_tuning(format, context_.impl().isa);
  if (!m.prefetch.empty()) {
    tuning.prefetch = m.prefetch_trials[linear::choose_trial(m.prefetch)].prefetch;
  }
  if (!m.tiles.empty()) {
    tuning.token_tile = m.tile_trials[linear::choose_trial(m.tiles)].token_tile;
  }
  if (!m.gemm.empty()) tuning.gemm_batch = linear::choose_gemm_batch(m.gemm, usual.gemm_batch);
  tuning.tables_gain = linear::choose_tables_gain(m.tables, tuning.tables_gain);
  return tuning;
}

linear::TuningTable TuneRun::result(linear::TuningTable table) const {
  for (const Format format : matrix::kAllFormats) table.of(format) = best(format, table.of(format));
  for (const linear::RsrTuning& line : rsr_) {
    std::erase_if(table.rsr, [&](const auto& old) { return old.same_index(line); });
    table.rsr.push_back(line);
  }
  for (const auto& [kind, times] : indexes_) {
    table.set_index_speed({kind.first, kind.second, linear::choose_index_speed(times)});
  }
  table.measured = true;
  return table;
}

}  // namespace rsr::cli
