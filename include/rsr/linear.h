// The library in two calls: prepare a binary or ternary matrix once, multiply it many times.
#pragma once

#include <rsr/matrix.h>
#include <rsr/status.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace rsr {

struct ContextOptions {
  /// 0: as many as this process may really use (CPU affinity and container quota).
  int threads = 0;
  /// Instruction set of the kernels: "reference", "avx2", "avxvnni", "avx512bw", "avx512vnni",
  /// "avx512vbmi", "amx". Empty: the environment variable RSR_FORCE_ISA when it is set, else the
  /// best that this machine has.
  std::string_view isa = {};
  /// Keeps each thread that the context starts on a core of its own. Good on a machine that does
  /// nothing else; on a busy one the system places threads better. The caller's thread is left
  /// alone.
  bool pin_threads = false;
};

/// Threads and scratch memory; nothing about them is hidden or global. A context may be shared by
/// threads (calls then wait for each other); for parallel calls give each thread a context.
class Context {
 public:
  /// Errors: a negative number of threads, an ISA name that is unknown or not on this machine.
  static Result<Context> create(const ContextOptions& options = {});
  ~Context();
  Context(Context&&) noexcept;
  Context& operator=(Context&&) noexcept;

  int threads() const;
  /// Name of the instruction set that kernels are chosen for.
  std::string isa() const;
  /// One sentence for each kernel that failed the self-test on this machine and is not used. Every
  /// kernel is tried once per machine in a child process when the first context is created, and the
  /// outcome is kept in RSR_CACHE_DIR (else $XDG_CACHE_HOME/rsr, else ~/.cache/rsr; set but empty:
  /// it is not kept, and tried once per process). One more when that folder has a file of `rsr
  /// tune` that cannot be used, because it is damaged or from another machine or version.
  std::vector<std::string> warnings() const;

  struct Impl;
  Impl& impl() const { return *impl_; }

 private:
  explicit Context(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// How a product is computed.
enum class Algorithm {
  automatic,     ///< the engine chooses
  multiply_add,  ///< packed codes, one multiply-add (or share of a look-up) per weight
  rsr            ///< Redundant Segment Reduction over column groups
};

/// The three ways to come from group sums to rows; all give the same integers.
enum class RsrForm {
  scatter,  ///< add each group's sum to the rows where its pattern is not zero (k up to 16)
  fold,     ///< RSR++: fold the dense table of sums (k up to 12 binary, 7 ternary)
  gray      ///< groups in Gray order, running sums, one add per boundary (same limits as fold)
};

/// What a prepared matrix will be multiplied with: it decides the packed format. Every weight can
/// do both products; the one that it was not prepared for is slower.
enum class Inputs {
  any,    ///< both alike: 2 bits per ternary weight
  int8,   ///< int8 or quantised: 1.6 bits where the instruction set decodes them fast
  floats  ///< floats as they are: 1.78 bits where look-ups of them are fast
};

/// Where the packed weights will be found when they are used.
enum class Residency {
  memory,  ///< streamed from memory, the fewest bits win: the right choice for models
  cache    ///< a small matrix that stays in the L2 cache, the fewest instructions win
};

struct PrepareOptions {
  /// One scale for the matrix; multiplies row_scales and group_scales when those are given.
  float scale = 1.0f;
  /// Empty, or one scale per row: [rows].
  std::span<const float> row_scales = {};
  /// Empty, or one scale per row and group of columns: [rows, ceil(cols / group_size)].
  std::span<const float> group_scales = {};
  /// Columns per group when group_scales are given, at least 1.
  int64_t group_size = 0;
  Inputs inputs = Inputs::any;
  Residency residency = Residency::memory;
  /// Instruction set to pack for, as in ContextOptions, also one that this machine lacks; another
  /// one can use the weight, too, but perhaps not at its best speed.
  std::string_view isa = {};
  Algorithm algorithm = Algorithm::automatic;
  RsrForm form = RsrForm::scatter;
  /// Height of a row block of RSR, 1 to 16; 0: the engine chooses.
  int k = 0;
};

/// A checked, packed matrix. Immutable: copies share it, and threads may.
class Weight {
 public:
  int64_t rows() const;
  int64_t cols() const;
  /// Bytes of packed weights, index and scales in memory.
  int64_t nbytes() const;
  /// One line: format, bits per weight, algorithm.
  std::string describe() const;
  /// What was changed when the weight was read from bytes, for people; empty when nothing was.
  std::string notice() const;

  /// Bytes of the index for batches that with_batch_index() has added; not part of nbytes().
  int64_t index_bytes() const;

  struct Impl;
  struct BatchIndex;
  const Impl& impl() const { return *impl_; }
  const BatchIndex* batch_index() const { return index_.get(); }
  explicit Weight(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}
  /// The same weight with another index, or none.
  Weight with(std::shared_ptr<const BatchIndex> index) const {
    Weight weight(impl_);
    weight.index_ = std::move(index);
    return weight;
  }

 private:
  std::shared_ptr<const Impl> impl_;
  std::shared_ptr<const BatchIndex> index_;
};

/// Checks `matrix` (any rows, 1 to 16,777,215 columns), and packs it. The caller's memory is not
/// needed afterwards. Errors name the argument and, for a value, its row and column.
Result<Weight> prepare(const MatrixView& matrix, const PrepareOptions& options = {});

struct LoadOptions {
  /// Instruction set that the weight will be used with, as in ContextOptions.
  std::string_view isa = {};
  /// Empty: the bytes are copied. Otherwise the weight reads them where they lie (a mapped file)
  /// and holds `keeper` as long as it needs them: until then they must stay as they are. What does
  /// not begin at a multiple of 64 is copied all the same, as are RSR's column groups.
  std::shared_ptr<const void> keeper = {};
  /// False: only the header is looked at, which takes a microsecond. Bytes that were changed behind
  /// it give wrong products then, but nothing is read outside of them.
  bool check_contents = true;
};

/// A weight as bytes, for files: the same on every machine, little-endian, with a version and a
/// checksum (drawn in src/linear/weight_header.h).
std::vector<uint8_t> weight_to_bytes(const Weight& weight);

/// The weight again. Everything is checked if nothing else is asked for, and no bytes can do harm.
/// A format that the instruction set has no kernel for is repacked in memory, and Weight::notice()
/// says so. Errors: bytes that are no weight or damaged, another version; the message names what
/// and where.
Result<Weight> weight_from_bytes(std::span<const uint8_t> bytes, const LoadOptions& options = {});

struct BatchIndexOptions {
  /// Bytes that the index may take; 0: there will be none.
  int64_t most_bytes = 0;
  /// Machine code instead of a list of columns: about 1.4 times as fast, 3 to 4 times as many bytes
  /// (0.8 to 2.4 per weight), and the process must be allowed to make code.
  bool jit = false;
  /// False: only where it should be faster than what the context runs without it.
  bool always = false;
};

/// The weight with an index beside it that products of many vectors use where they gain by it: RSR
/// in Gray order, which adds equal columns of a block of rows once (docs/algorithm.md). It serves
/// int8 vectors, whose results have the same bits with and without it; or, when the weight was
/// prepared for Inputs::floats, float vectors. Those results are then not the same for all batches,
/// and their error is at most 1e-4 of the sum of |scale * x| (2e-4 for {-1, +1}; random inputs
/// stay below 1e-6; calls with a value above 2^100 do without). The index suits this context's
/// instruction set, and is not part of weight_to_bytes(). Where none can be had, the weight comes
/// back as it is; `notice`, if not null, gets the reason, or why there is a list where code was
/// asked for; else it is empty.
Weight with_batch_index(const Context& context, const Weight& weight,
                        const BatchIndexOptions& options, std::string* notice = nullptr);

/// y[batch, rows] = scale * (W[rows, cols] x[batch, cols]), all float, activations not quantised;
/// batch = x.size() / cols. `y` must have exactly batch * rows elements and not overlap x.
/// Errors: wrong lengths; NaN or infinity in x (named by row and column). A row's result does not
/// depend on threads or batch, nor, for a given packed format, on the instruction set; its error is
/// at most 1e-6 of the sum of |scale * w * x| (multiply_add; with_batch_index() has its own rules).
Status multiply(const Context& context, const Weight& weight, std::span<const float> x,
                std::span<float> y);

/// y[batch, rows] = W[rows, cols] x[batch, cols] in exact integers; scales are not applied (a
/// weight with group scales is refused, since they could not be applied afterwards).
Status multiply(const Context& context, const Weight& weight, std::span<const int8_t> x,
                std::span<int32_t> y);

/// One of several products of the same inputs.
struct Product {
  const Weight* weight = nullptr;
  std::span<float> y;  ///< [batch, rows]
};

/// Every product's y = scale * (W q) / s, where q is x quantised to int8 once per row of x, by the
/// rule of BitNet b1.58: s = 127 / max(max |x|, 1e-5), q = round_half_to_even(x * s). All weights
/// have the same number of columns; their products share the quantisation and one parallel pass.
/// Errors as for float inputs, also no products and different numbers of columns.
Status multiply_quantised(const Context& context, std::span<const Product> products,
                          std::span<const float> x);

/// Vectors that were rounded to int8 once, for products with several weights in calls of their own.
/// Immutable: copies share them, threads may, and every context can multiply them.
class QuantisedVectors {
 public:
  int64_t batch() const;
  int64_t cols() const;

  struct Impl;
  const Impl& impl() const { return *impl_; }
  explicit QuantisedVectors(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}

 private:
  std::shared_ptr<const Impl> impl_;
};

/// x[batch, cols] quantised by the rule of multiply_quantised(); x is not needed afterwards.
/// Errors: cols below 1, a length that is not a positive multiple of it; NaN or infinity in x.
Result<QuantisedVectors> quantise(const Context& context, std::span<const float> x, int64_t cols);

/// y[batch, rows]: what multiply_quantised() gives for these vectors, bit for bit. Errors: vectors
/// of another number of columns than the weight's; a wrong length of y.
Status multiply(const Context& context, const Weight& weight, const QuantisedVectors& x,
                std::span<float> y);

/// A row of the matrix and its product with a query.
struct Match {
  int64_t row = 0;
  float score = 0;
};

/// The `matches.size()` rows with the largest scale * (W x), best first, equal scores by row
/// number: a search over a matrix of packed vectors that never writes all scores. x[cols], int8
/// (exact, then scaled) or float. Errors: more matches than rows, wrong length, NaN or infinity in
/// x.
Status top_k(const Context& context, const Weight& weight, std::span<const int8_t> x,
             std::span<Match> matches);
Status top_k(const Context& context, const Weight& weight, std::span<const float> x,
             std::span<Match> matches);

}  // namespace rsr
