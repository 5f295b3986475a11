#include "cli/bench_device.h"

#include <string>
#include <utility>

#include "base/check.h"
#include "cli/bench_device_problem.h"
#include "cli/timing.h"

namespace rsr::cli {

Result<DeviceMatvecBench> DeviceMatvecBench::create(const cuda::Device& device,
                                                    const DeviceBenchSizes& sizes) {
  RSR_ASSIGN_OR_RETURN(cuda::Stream stream, cuda::Stream::create(device));
  RSR_ASSIGN_OR_RETURN(CopyBandwidth copy, CopyBandwidth::create(stream, sizes.copy_bytes));
  return DeviceMatvecBench(std::move(stream), std::move(copy), sizes);
}

Status DeviceMatvecBench::use_matrix(const MatvecBenchOptions& o) {
  RSR_RETURN_IF_ERROR(check_options(o));
  const MatrixShape shape = shape_of(o);
  if (shape_ != shape) {
    prepared_.reset();
    shape_ = shape;
    values_ = random_matrix(shape);
  }
  // The k of RSR is chosen for a batch.
  const std::string how = o.algorithm == "rsr"
                              ? "rsr/" + std::to_string(o.k) + "/" + std::to_string(o.batch)
                              : o.algorithm;
  if (prepared_ && prepared_->how == how) return {};
  prepared_.reset();  // first, so that two sets of copies are never held
  const double begin = now_seconds();
  RSR_ASSIGN_OR_RETURN(std::unique_ptr<DeviceMatrix> matrix,
                       make_device_matrix(stream_, values_, o));
  prepared_ = Prepared{how, std::move(matrix), now_seconds() - begin};
  return {};
}

BenchRecord DeviceMatvecBench::describe(const MatvecBenchOptions& o) const {
  const DeviceMatrix& matrix = *prepared_->matrix;
  BenchRecord r = describe_product(o, matrix.nbytes());
  r.kernel = matrix.kernel(activation_of(o));
  r.format = matrix.describe();
  r.rival = o.algorithm == "rsr" ? "rsr-paper" : "";
  r.k = matrix.k();
  r.prepare_seconds = prepared_->seconds;
  return r;
}

Result<BenchRecord> DeviceMatvecBench::timed(BenchRecord record, const DeviceProblem& problem,
                                             size_t copies) {
  const DeviceMatrix& matrix = *prepared_->matrix;
  const ProductsInTurn what = {copies, sizes_.products,
                               [&](size_t copy) { return problem.ask(stream_, matrix, copy); }};
  RSR_RETURN_IF_ERROR(time_products(stream_, what, copy_, &record));
  return record;
}

Result<std::vector<BenchRecord>> DeviceMatvecBench::measure(const MatvecBenchOptions& o) {
  RSR_RETURN_IF_ERROR(use_matrix(o));
  const Activation activation = activation_of(o);
  DeviceMatrix& matrix = *prepared_->matrix;
  RSR_RETURN_IF_ERROR(matrix.reserve(stream_, 1));
  BenchProduct product(values_, *shape_, activation, o.batch);
  RSR_ASSIGN_OR_RETURN(const DeviceProblem problem,
                       DeviceProblem::create(stream_, product, *shape_, activation, o.batch));
  RSR_RETURN_IF_ERROR(problem.ask(stream_, matrix, 0));
  RSR_RETURN_IF_ERROR(problem.read(stream_, &product));
  RSR_ASSIGN_OR_RETURN(const Checked checked, product.check());
  BenchRecord record = describe(o);
  record.checked = checked.results;
  record.error_norm = checked.error_norm;

  std::vector<BenchRecord> records;
  if (o.cold) {
    const size_t copies = cold_copies(stream_.device(), matrix.nbytes(), o.cold_bytes);
    RSR_RETURN_IF_ERROR(matrix.reserve(stream_, copies));
    RSR_ASSIGN_OR_RETURN(BenchRecord cold, timed(record, problem, copies));
    records.push_back(std::move(cold));
  }
  if (o.warm) {
    RSR_ASSIGN_OR_RETURN(BenchRecord warm, timed(record, problem, 1));
    records.push_back(std::move(warm));
  }
  return records;
}

}  // namespace rsr::cli
