// rsr bench matvec: one product, first checked, then timed cold and warm.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "rsr/linear.h"

namespace rsr::cli {

struct MatvecBenchOptions {
  int64_t rows = 4096;
  int64_t cols = 4096;
  std::string bits = "ternary";         // or "binary"
  std::string activation = "int8";      // "int8", "quantised", "fp32"
  std::string algorithm = "automatic";  // "automatic", "multiply-add", "rsr"
  std::string form = "scatter";         // "scatter", "fold", "gray"
  int k = 0;
  int64_t batch = 1;
  int threads = 0;
  int repeats = 20;
};

/// One measurement: all times of one product in one state of the caches.
struct MatvecRecord {
  bool cold = false;
  double median_ns = 0;
  double min_ns = 0;
  double max_ns = 0;
};

struct MatvecReport {
  std::string cpu;
  std::string isa;
  int threads = 0;
  std::string format;  // Weight::describe()
  std::string kernel;
  double prepare_seconds = 0;
  int64_t bytes = 0;  // packed weights
  double bits_per_weight = 0;
  double read_bandwidth = 0;  // bytes per second, measured in the same run
  int64_t checked_rows = 0;   // elements of y compared with the plain product
  std::vector<MatvecRecord> records;
};

/// Errors: bad options; a product that differs from the plain one (nothing is then timed).
Result<MatvecReport> bench_matvec(const MatvecBenchOptions& options);

}  // namespace rsr::cli
