// What the rivals' programs share: flags, the random matrix of `rsr bench`, the check, the rotation
// over copies, the times, the records. A program gives a factory of its Rival to run_rival().
//
// Every rival is given floats and gives floats; packing is not timed.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "cli/bench_problem.h"
#include "cli/bench_record.h"

namespace rsr::rivals {

struct Options {
  int64_t rows = 4096;
  int64_t cols = 4096;
  int64_t batch = 1;
  int threads = 1;
  std::string bits = "ternary";  // or "binary"
  int zeros = 33;                // percent
  std::string variant;           // which of the program's products
  int repeats = 20;
  int64_t cold_bytes = 0;  // read between two uses of a copy; 0: what `rsr bench matvec` takes
  bool pin = false;        // threads, to cores, as `rsr bench matvec --pin` does it
};

/// What a product was, for its record.
struct Description {
  std::string name;        // "openblas-fp32"
  std::string kernel;      // what ran
  std::string isa;         // what it was chosen for
  std::string format;      // of the weights
  std::string activation;  // "fp32", "bf16" or "quantised": what the inputs become inside
  double tolerance = 0;    // of the relative error of all results together
  bool signs = false;      // the weights are 2 w - 1: a format without zeros
};

class Rival {
 public:
  Rival() = default;
  Rival(const Rival&) = delete;
  Rival& operator=(const Rival&) = delete;
  virtual ~Rival() = default;

  virtual Description description() const = 0;
  /// Bytes of one packed matrix.
  virtual int64_t nbytes() const = 0;
  /// One more packed matrix in memory of its own; the constructor made the first.
  virtual void add_copy() = 0;
  /// y[batch, rows] = W x[batch, cols] with copy number `copy`.
  virtual void multiply(size_t copy, const float* x, float* y) = 0;
};

/// `w` holds [rows, cols] of -1, 0, 1 (or 0, 1); it lives as long as the rival.
using Factory =
    std::function<std::unique_ptr<Rival>(const Options& options, const std::vector<int8_t>& w)>;

/// Parses flags, measures, prints a JSON array of records; gives the exit code. `variants`: what
/// --variant may be, the first by default.
int run_rival(int argc, char** argv, const std::vector<std::string>& variants,
              const Factory& factory);

/// The same for rivals that measure otherwise; they may throw.
using Measure = std::function<std::vector<cli::BenchRecord>(const Options& options)>;
int run_program(int argc, char** argv, const std::vector<std::string>& variants,
                const Measure& measured);

/// The matrix of `rsr bench` for these options.
cli::MatrixShape shape_of(const Options& options);

/// A record without results; `nbytes` of one packed matrix.
cli::BenchRecord describe(const Options& options, const Description& about, int64_t nbytes);

/// Holds y, the products of the floats x, against the plain ones: fills in what was checked and,
/// when that was wrong, an error. False then.
bool check(const Options& options, const std::vector<int8_t>& w, const Description& about,
           const std::vector<float>& x, const std::vector<float>& y, cli::BenchRecord* record);

/// Libraries read some settings while they are loaded: sets those variables that are not set yet
/// and starts this program again. Call it first in main().
void restart_with(char** argv, const std::vector<std::pair<std::string, std::string>>& variables);

/// The value that follows "--threads", "1" when there is none.
std::string threads_flag(int argc, char** argv);

}  // namespace rsr::rivals
