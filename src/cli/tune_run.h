// The measurements of rsr tune: products of random matrices, one setting against the other.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cli/bench_problem.h"
#include "linear/tuner.h"
#include "rsr/linear.h"

namespace rsr::cli {

/// An index for batches beside packed weights.
struct IndexKind {
  bool floats = false;
  bool compiled = false;
};

/// What is measured together: one matrix in one format, or as RSR's index in one form, or with an
/// index for batches.
struct TuneJob {
  bool binary = false;
  int64_t rows = 0;
  int64_t cols = 0;
  matrix::Format format = matrix::Format::t2;
  std::optional<RsrForm> form;     // RSR; `format` then means nothing
  std::optional<IndexKind> index;  // the same
};

std::string describe(const TuneJob& job);

struct TuneOptions {
  std::vector<int64_t> batches;
  int repeats = 15;
  int64_t cold_bytes = 0;  // read between two uses of a copy; 0: default_cold_bytes()
  bool formats = true;     // prefetch, token tiles, gemm, look-ups
  bool rsr = true;         // block heights
  bool indexes = true;     // speed of indexes for batches
};

/// Times of one knob under one condition.
struct TuneRecord {
  TuneJob job;
  int64_t batch = 0;
  std::string knob;  // "prefetch", "token_tile", "gemm", "tables", "k", "index"
  std::vector<std::string> trials;
  std::vector<double> seconds;  // median of each; 0: not timed, runs as the first does
};

/// The jobs for a shape: every format with a kernel of the instruction set, and every form.
std::vector<TuneJob> jobs_for(const MatrixShape& shape, const linear::KernelSet& kernels,
                              const TuneOptions& options);

/// True for the formats that have no kernels for integers; the others are tuned with these.
constexpr bool tuned_with_floats(matrix::Format format) {
  return format == matrix::Format::t3;
}

class TuneRun {
 public:
  TuneRun(Context context, TuneOptions options);

  /// Times all knobs of a job. Errors: a product that cannot be made, or is wrong.
  Result<std::vector<TuneRecord>> measure(const TuneJob& job);

  /// What all measurements together say; what was not measured is as in `before`.
  linear::TuningTable result(linear::TuningTable before) const;

 private:
  using Times = std::vector<std::vector<double>>;  // [condition][trial]

  Status use_matrix(const TuneJob& job);
  Result<std::vector<Weight>> copies(const TuneJob& job, int k) const;
  Result<std::vector<TuneRecord>> measure_rsr(const TuneJob& job);
  Result<std::vector<TuneRecord>> measure_format(const TuneJob& job);
  Result<std::vector<TuneRecord>> measure_index(const TuneJob& job);  // tune_index.cc
  TuneRecord measure_knob(const TuneJob& job, linear::Knob knob, int64_t batch,
                          const std::vector<Weight>& weights, BenchProduct& product);
  void keep(const TuneRecord& record, linear::Knob knob, const std::vector<linear::Tuning>& tried);
  linear::Tuning best(matrix::Format format, linear::Tuning tuning) const;

  struct Measured {
    std::vector<linear::Tuning> prefetch_trials;
    std::vector<linear::Tuning> tile_trials;
    Times prefetch;
    Times tiles;
    std::vector<linear::GemmTimes> gemm;
    std::vector<linear::TablesTimes> tables;
  };

  Context context_;
  TuneOptions options_;
  std::optional<MatrixShape> shape_;
  std::vector<int8_t> matrix_;
  std::map<matrix::Format, Measured> measured_;
  std::vector<linear::RsrTuning> rsr_;
  std::map<std::pair<bool, bool>, std::vector<linear::IndexTimes>> indexes_;  // floats, compiled
};

}  // namespace rsr::cli
