#include "cli/bench_device_problem.h"

#include <algorithm>
#include <numeric>
#include <span>
#include <vector>

#include "base/check.h"
#include "cuda/operations.h"
#include "model/device_sequence.h"

namespace rsr::cli {
namespace {

/// Given integers, with the zeros behind them that operations count on.
std::vector<int8_t> padded(std::span<const int8_t> x, const DeviceVectors& v) {
  std::vector<int8_t> rows(static_cast<size_t>(v.batch * v.int8_stride));
  for (int64_t t = 0; t < v.batch; ++t) {
    std::copy_n(x.data() + t * v.cols, v.cols, rows.data() + t * v.int8_stride);
  }
  return rows;
}

std::vector<int32_t> sums_of(std::span<const int8_t> x, const DeviceVectors& v) {
  std::vector<int32_t> sums;
  for (int64_t t = 0; t < v.batch; ++t) {
    const auto row = x.subspan(static_cast<size_t>(t * v.cols), static_cast<size_t>(v.cols));
    sums.push_back(std::accumulate(row.begin(), row.end(), 0));
  }
  return sums;
}

}  // namespace

Result<DeviceProblem> DeviceProblem::create(cuda::Stream& stream, const BenchProduct& product,
                                            const MatrixShape& shape, Activation activation,
                                            int64_t batch) {
  DeviceProblem made;
  made.v_.activation = activation;
  made.v_.rows = shape.rows;
  made.v_.cols = shape.cols;
  made.v_.batch = static_cast<int32_t>(batch);
  made.v_.int8_stride = model::int8_stride(shape.cols);
  RSR_RETURN_IF_ERROR(made.upload(stream, product));
  return made;
}

Status DeviceProblem::upload(cuda::Stream& stream, const BenchProduct& product) {
  const cuda::Device& device = stream.device();
  const auto batch = static_cast<size_t>(v_.batch);
  static_assert(sizeof(float) == sizeof(int32_t));  // of results
  RSR_ASSIGN_OR_RETURN(
      v_.results,
      cuda::Memory::create(device, batch * static_cast<size_t>(v_.rows) * sizeof(float)));
  if (v_.activation == Activation::int8) {
    const std::vector<int8_t> rows = padded(product.integers(), v_);
    const std::vector<int32_t> sums = sums_of(product.integers(), v_);
    RSR_ASSIGN_OR_RETURN(v_.int8, cuda::upload<int8_t>(stream, rows));
    RSR_ASSIGN_OR_RETURN(v_.sums, cuda::upload<int32_t>(stream, sums));
    return {};
  }
  RSR_ASSIGN_OR_RETURN(v_.floats, cuda::upload(stream, product.floats()));
  if (v_.activation == Activation::fp32) return {};
  RSR_ASSIGN_OR_RETURN(v_.int8,
                       cuda::Memory::create(device, batch * static_cast<size_t>(v_.int8_stride)));
  RSR_ASSIGN_OR_RETURN(v_.sums, cuda::Memory::create(device, batch * sizeof(int32_t)));
  RSR_ASSIGN_OR_RETURN(v_.scales, cuda::Memory::create(device, batch * sizeof(float)));
  return {};
}

/// A norm that leaves the floats as they are, and quantises them.
Status DeviceProblem::quantise(cuda::Stream& stream) const {
  cuda::Norm p;
  p.x = v_.floats.as<float>();
  p.cols = static_cast<int32_t>(v_.cols);
  p.batch = v_.batch;
  p.out.q = v_.int8.as<int8_t>();
  p.out.q_stride = v_.int8_stride;
  p.out.sums = v_.sums.as<int32_t>();
  p.out.inverse_scales = v_.scales.as<float>();
  return stream.run(&cuda::Operations::norm, p);
}

Status DeviceProblem::ask(cuda::Stream& stream, const DeviceMatrix& matrix, size_t copy) const {
  if (v_.activation == Activation::quantised) RSR_RETURN_IF_ERROR(quantise(stream));
  return matrix.multiply(stream, copy, v_);
}

Status DeviceProblem::read(cuda::Stream& stream, BenchProduct* product) const {
  void* results = v_.activation == Activation::int8
                      ? static_cast<void*>(product->integer_results().data())
                      : static_cast<void*>(product->float_results().data());
  RSR_RETURN_IF_ERROR(stream.copy_to_host(results, v_.results.data(), v_.results.bytes()));
  return stream.wait();
}

}  // namespace rsr::cli
