// rsr bench matvec: one product, first checked, then timed cold and warm.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cli/bench_problem.h"
#include "cli/bench_record.h"
#include "cli/read_bandwidth.h"
#include "rsr/linear.h"

namespace rsr::cli {

struct MatvecBenchOptions {
  std::string device = "cpu";  // or "cuda", "cuda:1"
  int64_t rows = 4096;
  int64_t cols = 4096;
  std::string bits = "ternary";     // or "binary"
  int zeros = 33;                   // percent, of ternary weights
  std::string activation = "int8";  // "int8", "quantised", "fp32"
  // "automatic", "multiply-add", "rsr"; "rsr-stream", "rsr-compiled": an index for batches; on a
  // device: "automatic", "t5", "rsr"
  std::string algorithm = "automatic";
  std::string form = "scatter";  // "scatter", "fold", "gray"
  int k = 0;
  std::string residency = "stream";  // or "cache"
  int64_t batch = 1;
  int threads = 0;
  bool pin = false;  // threads, to cores
  int repeats = 20;
  bool cold = true;
  bool warm = true;
  int64_t cold_bytes = 0;  // read between two uses of a copy; 0: default_cold_bytes()
};

Activation activation_of(const MatvecBenchOptions& options);
MatrixShape shape_of(const MatvecBenchOptions& options);
/// Error: no matrix, or one that is too large.
Status check_options(const MatvecBenchOptions& options);

/// What does not depend on where the product is computed; it reads `bytes` of packed weights.
BenchRecord describe_product(const MatvecBenchOptions& options, int64_t bytes);

/// 640 MB or, when that is more, twice the last-level cache.
int64_t default_cold_bytes();

/// Measures one product after the other, and keeps what the next one may use again: the random
/// matrix, the prepared copies, the threads, the block that pure reading reads.
class MatvecBench {
 public:
  /// One record for each state of the caches. Errors: bad options; a product that differs from the
  /// plain one (nothing is then timed).
  Result<std::vector<BenchRecord>> measure(const MatvecBenchOptions& options);

 private:
  struct Prepared {
    std::string how;  // the options that prepare() depends on, as text
    std::vector<Weight> copies;
    double seconds = 0;
  };
  Status use_matrix(const MatvecBenchOptions& options);
  Status use_weight(const MatvecBenchOptions& options, const Context& context);
  Result<const Context*> use_threads(const MatvecBenchOptions& options);
  /// As many copies as make `cold_bytes`, when something is to be measured cold. True: some are
  /// new.
  bool use_copies(const MatvecBenchOptions& options, const Context& context, int64_t cold_bytes);

  std::optional<MatrixShape> shape_;
  std::vector<int8_t> matrix_;
  std::optional<Prepared> prepared_;
  std::map<int, Context> contexts_;  // by the number of threads asked for
  std::optional<ReadBandwidth> read_;
};

}  // namespace rsr::cli
