// What rsr tune measures for a shape.
#include "cli/tune_run.h"

namespace rsr::cli {

using matrix::Format;

std::string describe(const TuneJob& job) {
  std::string what = matrix::format_name(job.format);
  if (job.form) what = std::string("RSR ") + linear::form_name(*job.form);
  if (job.index) {
    what = std::string(job.index->floats ? "fp32" : "int8") +
           (job.index->compiled ? " compiled" : " stream");
  }
  return std::to_string(job.rows) + " x " + std::to_string(job.cols) +
         (job.binary ? " binary, " : " ternary, ") + what;
}

std::vector<TuneJob> jobs_for(const MatrixShape& shape, const linear::KernelSet& kernels,
                              const TuneOptions& options) {
  std::vector<TuneJob> jobs;
  TuneJob job;
  job.binary = shape.is_binary;
  job.rows = shape.rows;
  job.cols = shape.cols;
  for (const Format format : matrix::kAllFormats) {
    const auto at = static_cast<size_t>(format);
    const auto* i8 = kernels.matvec_i8[at];
    const auto* f32 = kernels.matvec_f32[at];
    const base::Isa isa = tuned_with_floats(format)
                              ? (f32 != nullptr ? f32->isa : base::Isa::reference)
                              : (i8 != nullptr ? i8->isa : base::Isa::reference);
    const bool possible = matrix::is_ternary(format) != shape.is_binary;
    if (!options.formats || !possible || isa == base::Isa::reference) continue;
    jobs.push_back(job);
    jobs.back().format = format;
  }
  for (const RsrForm form : {RsrForm::scatter, RsrForm::fold, RsrForm::gray}) {
    if (!options.rsr) continue;
    jobs.push_back(job);
    jobs.back().form = form;
  }
  for (const bool floats : {false, true}) {
    if (!options.indexes || linear::gray_kernel(kernels, floats).name == nullptr) continue;
    for (const bool compiled : {false, true}) {
      jobs.push_back(job);
      jobs.back().index = IndexKind{floats, compiled};
    }
  }
  return jobs;
}

}  // namespace rsr::cli
