#include "cli/bench_matvec.h"

#include <algorithm>
#include <limits>
#include <span>
#include <sstream>

#include "base/check.h"
#include "base/cpu.h"
#include "cli/limits.h"
#include "cli/timing.h"
#include "linear/linear.h"

namespace rsr::cli {
namespace {

using base::error;

constexpr int64_t kColdBytes = int64_t{640} << 20;
constexpr int64_t kMostElements = int64_t{1} << 31;

/// The one place where flags become what prepare() is told.
PrepareOptions prepare_options(const MatvecBenchOptions& o) {
  PrepareOptions options;
  options.k = o.k;
  if (o.algorithm == "multiply-add") options.algorithm = Algorithm::multiply_add;
  if (o.algorithm == "rsr") options.algorithm = Algorithm::rsr;
  if (o.form == "fold") options.form = RsrForm::fold;
  if (o.form == "gray") options.form = RsrForm::gray;
  options.inputs = o.activation == "fp32" ? Inputs::floats : Inputs::int8;
  options.residency = o.residency == "cache" ? Residency::cache : Residency::memory;
  return options;
}

/// The weight as a product is asked for: with an index beside it, or not.
Result<Weight> finished(const MatvecBenchOptions& o, const Context& context, Weight weight) {
  const bool compiled = o.algorithm == "rsr-compiled";
  if (o.algorithm != "rsr-stream" && !compiled) return weight;
  std::string notice;
  Weight indexed = with_batch_index(
      context, weight,
      {.most_bytes = std::numeric_limits<int64_t>::max(), .jit = compiled, .always = true},
      &notice);
  if (notice.empty()) return indexed;
  return error(ErrorCode::unsupported, o.algorithm, ": ", notice);
}

/// Bytes that a product reads of a weight.
int64_t bytes_read(const Weight& weight) {
  return weight.index_bytes() > 0 ? weight.index_bytes() : weight.nbytes();
}

/// What prepare_options() depends on: two products with the same text share a weight.
std::string preparation(const MatvecBenchOptions& o) {
  std::ostringstream text;
  const bool floats = o.activation == "fp32";
  text << o.algorithm << '/' << o.form << '/' << o.k << '/' << o.residency << '/' << floats;
  return text.str();
}

/// Whose product it is: RSR as its papers have it is a rival of this project's own choice.
std::string rival_of(const MatvecBenchOptions& o) {
  return o.algorithm == "rsr" && o.form != "gray" ? "rsr-paper" : "";
}

BenchRecord describe(const MatvecBenchOptions& o, const Context& context, const Weight& weight) {
  BenchRecord r = describe_product(o, bytes_read(weight));
  r.threads = context.threads();
  r.kernel = linear::explain_kernel(
      context.impl(), weight, o.activation == "fp32" ? Inputs::floats : Inputs::int8, o.batch);
  r.kernel = r.kernel.substr(0, r.kernel.find(':'));
  r.isa = context.isa();
  r.rival = rival_of(o);
  r.format = weight.describe();
  r.form = o.algorithm == "rsr" ? o.form : "";
  r.k = o.k;
  r.residency = o.residency;
  return r;
}

/// Times the product with `copies` in turn, and what limits it in between.
BenchRecord time_product(BenchRecord record, const Context& context, ReadBandwidth& read,
                         std::span<const Weight> copies, BenchProduct& product) {
  Status status;
  Limits limits(context.impl().pool, context.impl().isa);
  const Timings timings = time_calls(
      record.repeats,
      [&] {
        limits.sample_registers();
        limits.sample_reading(read);
      },
      [&](int i) {
        const Status s = product.run(context, copies[static_cast<size_t>(i) % copies.size()]);
        if (!s.ok()) status = s;
      });
  RSR_CHECK(status.ok());  // the same call succeeded when it was checked
  record.cold = copies.size() > 1;
  record.median_ns = timings.median() * 1e9;
  record.min_ns = timings.least() * 1e9;
  record.max_ns = timings.most() * 1e9;
  record.r4_bytes_per_second = limits.read_bytes_per_second();
  record.dot_peak_macs = limits.dot_macs();
  record.pair_peak_macs = limits.pair_macs();
  record.tile_peak_macs = limits.tile_macs();
  record.fma_peak_macs = limits.fma_macs();
  return record;
}

}  // namespace

Activation activation_of(const MatvecBenchOptions& o) {
  return o.activation == "int8"   ? Activation::int8
         : o.activation == "fp32" ? Activation::fp32
                                  : Activation::quantised;
}

Status check_options(const MatvecBenchOptions& o) {
  if (o.rows < 1 || o.cols < 1 || o.batch < 1 || o.rows > kMostElements / o.cols ||
      o.batch > kMostElements / std::max(o.rows, o.cols)) {
    return error(ErrorCode::invalid_argument, "--rows ", o.rows, " --cols ", o.cols, " --batch ",
                 o.batch, ": each at least 1, and no more than 2^31 elements in a matrix");
  }
  return {};
}

MatrixShape shape_of(const MatvecBenchOptions& o) {
  const bool is_binary = o.bits == "binary";
  return {o.rows, o.cols, is_binary, is_binary ? 50 : o.zeros};
}

BenchRecord describe_product(const MatvecBenchOptions& o, int64_t bytes) {
  BenchRecord r;
  r.bits = o.bits;
  r.activation = o.activation;
  r.rows = o.rows;
  r.cols = o.cols;
  r.batch = o.batch;
  r.bytes = bytes;
  r.format_bits_per_weight = 8.0 * static_cast<double>(bytes) /
                             (static_cast<double>(o.rows) * static_cast<double>(o.cols));
  r.exact = o.activation == "int8";
  r.algorithm = o.algorithm;
  r.zeros = shape_of(o).zeros;
  r.whole_call = o.activation != "int8";
  r.repeats = o.repeats;
  r.cpu = base::cpu_name();
  return r;
}

int64_t default_cold_bytes() {
  return std::max(kColdBytes, 2 * base::last_level_cache_bytes());
}

Status MatvecBench::use_matrix(const MatvecBenchOptions& o) {
  RSR_RETURN_IF_ERROR(check_options(o));
  const MatrixShape shape = shape_of(o);
  if (shape_ == shape) return {};
  prepared_.reset();
  shape_ = shape;
  matrix_ = random_matrix(shape);
  return {};
}

Status MatvecBench::use_weight(const MatvecBenchOptions& o, const Context& context) {
  const std::string how = preparation(o);
  if (prepared_ && prepared_->how == how) return {};
  prepared_.reset();  // first, so that two sets of copies are never held
  const MatrixView view =
      shape_->is_binary ? binary(matrix_, o.rows, o.cols) : ternary(matrix_, o.rows, o.cols);
  const double begin = now_seconds();
  RSR_ASSIGN_OR_RETURN(Weight packed, prepare(view, prepare_options(o)));
  RSR_ASSIGN_OR_RETURN(Weight weight, finished(o, context, std::move(packed)));
  prepared_ = Prepared{how, {std::move(weight)}, now_seconds() - begin};
  return {};
}

Result<const Context*> MatvecBench::use_threads(const MatvecBenchOptions& o) {
  const auto found = contexts_.find(o.threads);
  if (found != contexts_.end()) return &found->second;
  RSR_ASSIGN_OR_RETURN(Context context,
                       Context::create({.threads = o.threads, .pin_threads = o.pin}));
  return &contexts_.emplace(o.threads, std::move(context)).first->second;
}

bool MatvecBench::use_copies(const MatvecBenchOptions& o, const Context& context,
                             int64_t cold_bytes) {
  std::vector<Weight>& copies = prepared_->copies;
  const size_t before = copies.size();
  const int64_t one = bytes_read(copies.front());
  while (o.cold && (copies.size() < 2 || static_cast<int64_t>(copies.size()) * one < cold_bytes)) {
    // The first one could be made, so that others can.
    copies.push_back(finished(o, context, linear::deep_copy(copies.front())).value());
  }
  return copies.size() > before;
}

Result<std::vector<BenchRecord>> MatvecBench::measure(const MatvecBenchOptions& o) {
  RSR_RETURN_IF_ERROR(use_matrix(o));
  RSR_ASSIGN_OR_RETURN(const Context* context, use_threads(o));
  RSR_RETURN_IF_ERROR(use_weight(o, *context));
  BenchProduct product(matrix_, *shape_, activation_of(o), o.batch);
  RSR_RETURN_IF_ERROR(product.run(*context, prepared_->copies.front()));
  RSR_ASSIGN_OR_RETURN(const Checked checked, product.check());
  BenchRecord record = describe(o, *context, prepared_->copies.front());
  record.checked = checked.results;
  record.error_norm = checked.error_norm;
  record.prepare_seconds = prepared_->seconds;

  const int64_t cold_bytes = o.cold_bytes > 0 ? o.cold_bytes : default_cold_bytes();
  if (use_copies(o, *context, cold_bytes)) {
    // Memory that has just been written is slow for a while on a virtual machine (by up to a third
    // at 640 MB), whose host still arranges its pages.
    for (const Weight& copy : prepared_->copies) {
      RSR_RETURN_IF_ERROR(product.run(*context, copy));
    }
  }
  if (!read_) read_.emplace(cold_bytes);
  const std::span<const Weight> copies(prepared_->copies);
  std::vector<BenchRecord> records;
  if (o.cold) records.push_back(time_product(record, *context, *read_, copies, product));
  if (o.warm) records.push_back(time_product(record, *context, *read_, copies.first(1), product));
  return records;
}

}  // namespace rsr::cli
