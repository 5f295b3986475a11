#include "linear/cost_model.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>

#include "kernels/matvec/matvec.h"
#include "linear/cost_rates.h"
#include "linear/packed_product.h"
#include "linear/rsr_choice.h"
#include "segment/cost.h"
#include "segment/multiply.h"

namespace rsr::linear {
namespace {

using matrix::Format;

// Pure reading of memory by one thread of the server processor (AVX-512 VBMI, AMX) that all numbers
// of this file and of cost_rates.h were measured on. More threads are assumed to add up to eight:
// not measured, but neither do they change which format wins before the memory is saturated.
constexpr double kReadBytesPerSecond = 17.5e9;
constexpr int kReadingThreads = 8;

// Starting the threads for a loop: 1 to 2 us.
constexpr double kStartSeconds = 1.5e-6;

// Tables of t3 and b1 for float inputs: 15 ns for 18 columns, 50 ns for 64.
constexpr double kTableSecondsPerColumn = 0.8e-9;

// The clock that segment/cost.h counts its cycles at. Predicted for 2560 x 2560, k 4: 1.05 ms;
// measured 0.79 from the cache and 1.40 from memory, while other programs ran.
constexpr double kCyclesPerSecond = 3e9;

/// Between the values for 2^first, 2^(first + 1), ... vectors, on a logarithmic scale.
template <size_t size>
double interpolate(const std::array<double, size>& values, int first, int64_t vectors) {
  const double at = std::clamp(std::log2(static_cast<double>(vectors)) - first, 0.0, size - 1.0);
  const auto below = static_cast<size_t>(at);
  const size_t above = std::min(below + 1, size - 1);
  return values[below] + (values[above] - values[below]) * (at - static_cast<double>(below));
}

double gemm_rate(const CostQuestion& q) {
  const GemmRate* found = nullptr;
  for (const GemmRate& line : kGemmRates) {
    if (base::isa_includes(q.isa, line.isa)) found = &line;
  }
  return interpolate(found->gmacs, 1, q.batch);
}

double matvec_rate(const CostQuestion& q) {
  const MatvecRate* found = nullptr;
  for (const MatvecRate& line : kMatvecRates) {
    if (line.floats == q.floats && line.format == q.format && base::isa_includes(q.isa, line.isa)) {
      found = &line;
    }
  }
  // No line: no kernel; the product repacks for every call and then runs as t2.
  if (found == nullptr) return 0.05;
  return interpolate(found->gmacs, 0, q.batch);
}

/// What is left of a speed when token tiles are not full.
double full_share(const CostQuestion& q) {
  const int64_t tiles = (q.batch + q.token_tile - 1) / q.token_tile;
  return static_cast<double>(q.batch) / static_cast<double>(tiles * q.token_tile);
}

/// Look-ups by what they gain over a gemm, or over a matvec of floats, with whole token tiles.
double tables_rate(CostQuestion q) {
  const double full = full_share(q);
  const double share = tables_share(rows_of_call(q.rows, 1, q.threads));
  q.batch = 64;
  return (q.floats ? matvec_rate(q) : gemm_rate(q)) * q.tables_gain * full * share;
}

/// How much longer a token tile takes when fewer than four of them run each cell's code in turn: it
/// comes out of L3 or memory for the first (one alone: 1.9 times, two: 1.3 to 1.5).
double code_share(const CostQuestion& q) {
  if (q.kind != KernelKind::compiled) return 1;
  const int64_t tiles = (q.batch + q.token_tile - 1) / q.token_tile;
  return 0.7 + 1.2 / static_cast<double>(std::min<int64_t>(tiles, 4));
}

/// An index by its additions. Few rows cost it little more than they cost a gemm: 640 rows gain as
/// much as 2,560 (1.25 times at 70% zeros), 320 a little less (1.19).
double gray_rate(const CostQuestion& q) {
  const GrayRate* found = nullptr;
  for (const GrayRate& line : kGrayRates) {
    const bool same = line.kind == q.kind && line.floats == q.floats;
    if (same && base::isa_includes(q.isa, line.isa)) found = &line;
  }
  if (found == nullptr) return 0;
  const double weights = static_cast<double>(q.rows) * static_cast<double>(q.cols);
  const auto rows = static_cast<double>(rows_of_call(q.rows, 1, q.threads));
  const double time = weights * found->per_weight + q.additions * found->per_addition;
  return q.speed * weights / time * full_share(q) / code_share(q) * rows / (rows + 16);
}

int64_t packed_bytes(const CostQuestion& q) {
  const int64_t tiles = (q.rows + matrix::kTileRows - 1) / matrix::kTileRows;
  const int64_t columns = matrix::line_cols(q.format);
  return tiles * ((q.cols + columns - 1) / columns) * matrix::kLineBytes;
}

segment::Alphabet alphabet_of(const CostQuestion& q) {
  return q.binary ? segment::Alphabet::binary : segment::Alphabet::ternary;
}

RsrQuestion rsr_question(const CostQuestion& q) {
  return {q.isa, q.form, alphabet_of(q), q.rows, q.cols, q.floats};
}

/// Bytes and additions of RSR's lanes of random digits.
void add_lanes(const CostQuestion& q, Cost& cost) {
  const double weights = static_cast<double>(q.rows) * static_cast<double>(q.cols);
  cost.bytes = std::llround(weights * segment::lane_bits(alphabet_of(q), q.k, q.cols) / 8);
  cost.operations = static_cast<double>(cost.bytes) * static_cast<double>(q.batch);
  cost.work_seconds = cost.operations / kLaneSlotsPerSecond;
}

/// Groups, columns and additions of RSR's index of random digits, for one vector.
void add_groups(const CostQuestion& q, Cost& cost) {
  const segment::Alphabet alphabet = alphabet_of(q);
  const int64_t tile = std::min(q.cols, segment::kMaxTileCols);
  const double cells = std::ceil(static_cast<double>(q.rows) / q.k) *
                       (static_cast<double>(q.cols) / static_cast<double>(tile));
  const auto groups = std::llround(segment::expected_groups(alphabet, q.k, tile));
  const auto batch = static_cast<double>(q.batch);
  cost.bytes = std::llround(cells * static_cast<double>(segment::cell_bytes(tile, groups)));
  cost.operations = batch * cells * segment::cell_additions(q.form, alphabet, q.k, tile, groups);
  cost.work_seconds =
      batch * segment::estimate_cycles(q.form, alphabet, q.k, q.rows, q.cols) / kCyclesPerSecond;
}

void add_gray(const CostQuestion& q, Cost& cost) {
  cost.bytes = std::llround(gray_bytes(q));
  cost.operations = q.additions * static_cast<double>(q.batch);
  cost.work_seconds = static_cast<double>(q.rows) * static_cast<double>(q.cols) *
                      static_cast<double>(q.batch) / assumed_rate(q);
}

void add_packed(const CostQuestion& q, Cost& cost) {
  cost.bytes = packed_bytes(q);
  cost.operations =
      static_cast<double>(q.rows) * static_cast<double>(q.cols) * static_cast<double>(q.batch);
  cost.work_seconds = cost.operations / assumed_rate(q);
}

/// Additions of look-ups: one for each group of a row, and one for each entry of a table.
void count_look_ups(const CostQuestion& q, Cost& cost) {
  const bool binary = q.format == Format::b1;
  const int group_cols = binary ? (q.floats ? 5 : 6) : q.format == Format::t3 ? 3 : 4;
  const int entries = binary ? 1 << group_cols : q.format == Format::t3 ? 27 : 81;
  const int64_t groups = (q.cols + group_cols - 1) / group_cols;
  const int64_t tokens = (q.batch + q.token_tile - 1) / q.token_tile * q.token_tile;
  cost.operations = static_cast<double>(groups) * static_cast<double>(tokens) *
                    static_cast<double>(q.rows + int64_t{entries} * cost.threads);
}

}  // namespace

double assumed_rate(const CostQuestion& q) {
  if (q.kind == KernelKind::gray || q.kind == KernelKind::compiled) return 1e9 * gray_rate(q);
  if (q.kind == KernelKind::tables) return 1e9 * tables_rate(q);
  return 1e9 * (q.kind == KernelKind::gemm ? gemm_rate(q) : matvec_rate(q));
}

namespace {

/// Floats: look-ups, or a matvec for each vector.
double assumed_float_rate(const KernelSet& kernels, Format format, const BatchShape& shape) {
  const auto* matvec = kernels.matvec_f32[static_cast<size_t>(format)];
  if (matvec == nullptr) return 0;
  CostQuestion q;
  q.format = format;
  q.floats = true;
  q.isa = kernels.isa;
  q.rows = shape.rows;
  q.batch = shape.batch;
  if (const auto* tables = kernels.look_ups_f32(format, shape)) {
    q.kind = KernelKind::tables;
    q.tables_gain = float_tables_gain(format, kernels.isa);
    q.token_tile = tables->token_tile;
  }
  return assumed_rate(q);
}

}  // namespace

double assumed_rate(const KernelSet& kernels, Format format, const BatchShape& shape, bool floats) {
  if (floats) return assumed_float_rate(kernels, format, shape);
  const auto* kernel = kernels.for_batch(format, shape);
  if (kernel == nullptr) return 0;
  const auto at = static_cast<size_t>(format);
  CostQuestion q;
  q.kind = kernel == kernels.gemm_tables_i8[at] ? KernelKind::tables
           : kernel == kernels.gemm_i8[at]      ? KernelKind::gemm
                                                : KernelKind::matvec;
  q.format = format;
  q.isa = kernels.isa;
  q.rows = shape.rows;
  q.batch = shape.batch;
  q.tables_gain = kernels.tuning.of(format).tables_gain;
  q.token_tile = kernel->token_tile;
  return assumed_rate(q);
}

double gray_bytes(const CostQuestion& q) {
  return q.additions * (q.kind == KernelKind::compiled ? 8 : 2.2);
}

int threads_used(const CostQuestion& q) {
  const int64_t unit = q.kind == KernelKind::rsr ? q.k : kernels::kMatvecTileRows;
  const int64_t units = (q.rows + unit - 1) / unit;
  const int64_t grain = kWorthAThread / (unit * q.cols * q.batch) + 1;
  if (units < 2 * grain) return 1;
  return static_cast<int>(std::min<int64_t>(q.threads, units));
}

Cost predict(const CostQuestion& q) {
  Cost cost;
  if (q.kind == KernelKind::rsr) {
    const RsrIndex index = choose_index(rsr_question(q), q.k);
    (index == RsrIndex::lanes ? add_lanes : add_groups)(q, cost);
    if (index == RsrIndex::slices) {
      cost.work_seconds =
          static_cast<double>(q.batch) *
          segment::estimate_slice_cycles(q.form, alphabet_of(q), q.k, q.rows, q.cols) /
          kCyclesPerSecond;
    }
  } else if (q.kind == KernelKind::gray || q.kind == KernelKind::compiled) {
    add_gray(q, cost);
  } else {
    add_packed(q, cost);
  }
  cost.threads = threads_used(q);
  cost.work_seconds /= cost.threads;
  if (q.kind == KernelKind::tables) count_look_ups(q, cost);
  if (q.residency == Residency::memory) {
    cost.read_seconds = static_cast<double>(cost.bytes) /
                        (kReadBytesPerSecond * std::min(cost.threads, kReadingThreads));
  }
  cost.seconds = std::max(cost.read_seconds, cost.work_seconds);
  if (cost.threads > 1) cost.seconds += kStartSeconds;
  if (q.floats && q.kind == KernelKind::matvec && q.format != Format::t2) {
    cost.seconds += kTableSecondsPerColumn * static_cast<double>(q.cols) *
                    static_cast<double>(q.batch) / cost.threads;
  }
  return cost;
}

}  // namespace rsr::linear
