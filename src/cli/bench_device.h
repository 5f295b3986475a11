// rsr bench matvec --device: products on a device, each first checked, then timed in a graph.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cli/bench_device_matrix.h"
#include "cli/bench_device_timing.h"
#include "cli/bench_matvec.h"
#include "cli/bench_problem.h"
#include "cli/bench_record.h"
#include "cuda/device.h"

namespace rsr::cli {

class DeviceProblem;

/// How much of a device measuring takes; tests take less.
struct DeviceBenchSizes {
  int64_t copy_bytes = kCopyBytes;
  size_t products = kGraphProducts;
};

/// Measures one product after the other, and keeps what the next one may use again.
class DeviceMatvecBench {
 public:
  static Result<DeviceMatvecBench> create(const cuda::Device& device,
                                          const DeviceBenchSizes& sizes = {});

  /// One record for each state of the caches. Errors: bad options; a product that differs from the
  /// plain one (nothing is then timed); what the device reports.
  Result<std::vector<BenchRecord>> measure(const MatvecBenchOptions& options);

 private:
  struct Prepared {
    std::string how;  // the options that the matrix on the device depends on, as text
    std::unique_ptr<DeviceMatrix> matrix;
    double seconds = 0;
  };
  DeviceMatvecBench(cuda::Stream stream, CopyBandwidth copy, const DeviceBenchSizes& sizes)
      : stream_(std::move(stream)), copy_(std::move(copy)), sizes_(sizes) {}

  Status use_matrix(const MatvecBenchOptions& options);
  BenchRecord describe(const MatvecBenchOptions& options) const;
  /// The record with times, of `copies` copies in turn.
  Result<BenchRecord> timed(BenchRecord record, const DeviceProblem& problem, size_t copies);

  cuda::Stream stream_;
  CopyBandwidth copy_;
  DeviceBenchSizes sizes_;
  std::optional<MatrixShape> shape_;
  std::vector<int8_t> values_;
  std::optional<Prepared> prepared_;
};

}  // namespace rsr::cli
