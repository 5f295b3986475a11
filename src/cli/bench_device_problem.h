// One product on a device, as it is timed: vectors go in, results come out, all in its memory.
#pragma once

#include "cli/bench_device_matrix.h"
#include "cli/bench_problem.h"
#include "cuda/device.h"

namespace rsr::cli {

class DeviceProblem {
 public:
  /// Copies the vectors of `product`, of `batch` for a matrix of `shape`.
  static Result<DeviceProblem> create(cuda::Stream& stream, const BenchProduct& product,
                                      const MatrixShape& shape, Activation activation,
                                      int64_t batch);

  /// Asks for one product. Floats of Activation::quantised are quantised in it.
  Status ask(cuda::Stream& stream, const DeviceMatrix& matrix, size_t copy) const;

  /// The results of the last one, for product.check(). Waits for them.
  Status read(cuda::Stream& stream, BenchProduct* product) const;

 private:
  Status upload(cuda::Stream& stream, const BenchProduct& product);
  Status quantise(cuda::Stream& stream) const;

  DeviceVectors v_;
};

}  // namespace rsr::cli
