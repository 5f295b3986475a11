#include "linear/tuner.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "segment/cost.h"
#include "segment/multiply.h"

namespace rsr::linear {
namespace {

constexpr double kWorthAChange = 0.98;

// Bytes ahead into L1 and L2. None at all, half and twice the default distances, and a far one that
// crosses a page: hardware prefetchers stop there.
constexpr kernels::Prefetch kAhead[] = {{0, 0},       {512, 1024},  {512, 2048}, {1024, 4096},
                                        {2048, 4096}, {2048, 8192}, {4096, 8192}};
constexpr int kTokenTiles[] = {1, 2, 4, 8};

/// True when a product of the shape runs a matvec that prefetches as it is told.
bool runs_matvec(const KernelSet& kernels, const TuneShape& s) {
  const auto at = static_cast<size_t>(s.format);
  if (s.floats) {
    return kernels.matvec_f32[at] != nullptr && kernels.matvec_f32[at]->isa > base::Isa::reference;
  }
  const auto* kernel = kernels.matvec_i8[at];
  return kernel != nullptr && kernel->isa > base::Isa::reference &&
         kernels.for_batch(s.format, {s.batch, rows_of_call(s.rows, 1, s.threads)}) == kernel;
}

/// Bytes that a thread reads in one piece: kernels read four far streams at once.
int64_t stream_bytes(const TuneShape& s) {
  const int64_t columns = matrix::line_cols(s.format);
  const int64_t tiles = (s.rows + matrix::kTileRows - 1) / matrix::kTileRows;
  return tiles * ((s.cols + columns - 1) / columns) * matrix::kLineBytes / (int64_t{4} * s.threads);
}

std::vector<Tuning> prefetch_trials(const KernelSet& kernels, const TuneShape& shape) {
  std::vector<Tuning> all = {default_tuning(shape.format, kernels.isa)};
  const bool matters = runs_matvec(kernels, shape);
  for (const kernels::Prefetch& ahead : kAhead) {
    all.push_back(all.front());
    if (matters && ahead.far < stream_bytes(shape)) all.back().prefetch = ahead;
  }
  return all;
}

std::vector<Tuning> token_tile_trials(const KernelSet& kernels, const TuneShape& shape) {
  std::vector<Tuning> all = {default_tuning(shape.format, kernels.isa)};
  const auto* kernel = kernels.matvec_i8[static_cast<size_t>(shape.format)];
  const bool matters = !shape.floats && runs_matvec(kernels, shape);
  const int64_t widest = matters ? std::min<int64_t>(shape.batch, kernel->token_tile) : 0;
  for (const int tile : kTokenTiles) {
    all.push_back(all.front());
    if (tile < widest) all.back().token_tile = tile;
  }
  return all;
}

std::vector<Tuning> gemm_trials(const KernelSet& kernels, const TuneShape& shape) {
  std::vector<Tuning> all(2, default_tuning(shape.format, kernels.isa));
  all[0].gemm_batch = all[1].gemm_batch = std::numeric_limits<int32_t>::max();
  all[0].tables_gain = all[1].tables_gain = 0;
  const bool exists = kernels.gemm_i8[static_cast<size_t>(shape.format)] != nullptr;
  if (exists && !shape.floats && shape.batch > 1) all[1].gemm_batch = 2;
  return all;
}

std::vector<Tuning> tables_trials(const KernelSet& kernels, const TuneShape& shape) {
  std::vector<Tuning> all(2, default_tuning(shape.format, kernels.isa));
  const auto* tables = kernels.gemm_tables_i8[static_cast<size_t>(shape.format)];
  all[0].tables_gain = all[1].tables_gain = 0;
  if (tables != nullptr && !shape.floats && shape.batch % tables->token_tile == 0) {
    all[1].tables_gain = std::numeric_limits<double>::infinity();
  }
  return all;
}

}  // namespace

std::vector<Tuning> trials(Knob knob, const KernelSet& kernels, const TuneShape& shape) {
  switch (knob) {
    case Knob::prefetch:
      return prefetch_trials(kernels, shape);
    case Knob::token_tile:
      return token_tile_trials(kernels, shape);
    case Knob::gemm:
      return gemm_trials(kernels, shape);
    case Knob::tables:
      break;
  }
  return tables_trials(kernels, shape);
}

size_t choose_trial(const std::vector<std::vector<double>>& seconds) {
  std::vector<double> log_ratios;
  for (const std::vector<double>& times : seconds) {
    log_ratios.resize(std::max(log_ratios.size(), times.size()));
    for (size_t i = 0; i < times.size(); ++i) {
      if (times[0] > 0 && times[i] > 0) log_ratios[i] += std::log(times[i] / times[0]);
    }
  }
  if (log_ratios.empty()) return 0;
  const auto best = std::min_element(log_ratios.begin(), log_ratios.end());
  const double gain = std::exp(*best / static_cast<double>(seconds.size()));
  return gain <= kWorthAChange ? static_cast<size_t>(best - log_ratios.begin()) : 0;
}

int64_t choose_gemm_batch(const std::vector<GemmTimes>& times, int64_t fallback) {
  // Of batches whose times contradict each other, the largest where a matvec wins decides.
  int64_t lost = 1;
  for (const GemmTimes& t : times) {
    if (t.matvec_seconds <= kWorthAChange * t.gemm_seconds) lost = std::max(lost, t.batch);
  }
  int64_t won = std::numeric_limits<int64_t>::max();
  for (const GemmTimes& t : times) {
    const bool wins = t.gemm_seconds <= kWorthAChange * t.matvec_seconds;
    if (wins && t.batch > lost) won = std::min(won, t.batch);
  }
  return std::max(lost + 1, std::min(won, fallback));
}

double choose_tables_gain(const std::vector<TablesTimes>& times, double fallback) {
  if (times.empty()) return fallback;
  double log_gain = 0;
  for (const TablesTimes& t : times) {
    log_gain += std::log(t.other_seconds / t.tables_seconds / tables_share(t.rows_of_call));
  }
  return std::exp(log_gain / static_cast<double>(times.size()));
}

double choose_index_speed(const std::vector<IndexTimes>& times) {
  if (times.empty()) return 1;
  double log_speed = 0;
  for (const IndexTimes& t : times) {
    log_speed += std::log(t.packed_seconds / t.index_seconds / t.predicted_gain);
  }
  return std::exp(log_speed / static_cast<double>(times.size()));
}

std::vector<int> rsr_trials(const RsrQuestion& q) {
  const int chosen = choose_block_rows(q);
  const auto limit = std::min<int64_t>(q.rows, segment::max_k(q.form, q.alphabet));
  std::vector<int> all = {chosen};
  for (const int k : {chosen - 1, chosen + 1}) {
    if (k >= 1 && k <= limit) all.push_back(k);
  }
  return all;
}

}  // namespace rsr::linear
