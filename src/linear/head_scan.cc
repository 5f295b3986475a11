#include "linear/head_scan.h"

#include <algorithm>
#include <limits>

#include "base/check.h"
#include "kernels/scan/scan.h"
#include "linear/packed_product.h"

namespace rsr::linear {
namespace {

using kernels::kScanTileRows;

constexpr float kInfinity = std::numeric_limits<float>::infinity();
// Above all that underflow can do, to the sum in float (cols * 2^-149) and to the estimate.
constexpr float kTiny = 1e-30f;

/// The largest of a tile, by halves: no branches.
float largest(const float (&values)[kScanTileRows]) {
  float half[kScanTileRows];
  std::copy_n(values, kScanTileRows, half);
  for (int count = kScanTileRows / 2; count > 0; count /= 2) {
    for (int i = 0; i < count; ++i) half[i] = std::max(half[i], half[i + count]);
  }
  return half[0];
}

}  // namespace

int64_t HeadScan::used_tiles() const {
  return (vectors_.rows + kScanTileRows - 1) / kScanTileRows;
}

HeadScan::Bounds HeadScan::bounds(int64_t vector) {
  const int64_t row = vector * padded_rows_;
  const int64_t tile = row / kScanTileRows;
  return {lower_.data() + row, upper_.data() + row, tile_lower_.data() + tile,
          tile_upper_.data() + tile};
}

void HeadScan::reserve(const HeadScanForm& form) {
  const auto batch = static_cast<size_t>(vectors_.batch);
  const auto rows = static_cast<size_t>(padded_rows_);
  for (auto* sums : {&high_, &low_}) sums->reserve_discard(batch * rows);
  for (auto* of_rows : {&lower_, &upper_}) of_rows->reserve_discard(batch * rows);
  for (auto* of_tiles : {&tile_lower_, &tile_upper_}) {
    of_tiles->reserve_discard(batch * rows / kScanTileRows);
  }
  planes_.reserve_discard(batch * static_cast<size_t>(form.steps() * kernels::kScanXBytes));
  all_logits_.reserve_discard(static_cast<size_t>(form.rows));
}

bool HeadScan::make_planes(const HeadScanForm& form) {
  planes_of_.resize(static_cast<size_t>(vectors_.batch));
  for (int64_t v = 0; v < vectors_.batch; ++v) {
    HeadVector& x = planes_of_[static_cast<size_t>(v)];
    x = make_head_vector(vectors_.x + v * form.cols, form,
                         planes_.data() + v * form.steps() * kernels::kScanXBytes);
    const double most = std::max(form.largest_norm, 1.0f) * x.magnitude;
    if (!(most < kHeadMostMagnitude)) return false;
  }
  return true;
}

bool HeadScan::bound(Context::Impl& context, const HeadScanForm& form, const HeadVectors& vectors) {
  RSR_CHECK(vectors.batch >= 1 && vectors.batch <= kernels::kScanMostBatch);
  RSR_CHECK(vectors.rows >= 1 && vectors.rows <= form.rows);
  vectors_ = vectors;
  padded_rows_ = form.padded_rows();
  reserve(form);
  if (!make_planes(form)) return false;
  const kernels::ScanI8 p{form.lines.data(), form.steps(), vectors.batch, planes_.data(),
                          high_.data(),      low_.data(),  padded_rows_};
  const auto part = [&](base::Range tiles) {
    context.kernels.scan->function(p, tiles.begin, tiles.end);
    for (int64_t v = 0; v < vectors.batch; ++v) {
      for (int64_t tile = tiles.begin; tile < tiles.end; ++tile) bound_tile(form, v, tile);
    }
  };
  const int64_t work = form.steps() * kernels::kScanLineBytes;
  context.pool.parallel_for(used_tiles(), std::cref(part), kWorthAThread / work + 1);
  return true;
}

void HeadScan::bound_tile(const HeadScanForm& form, int64_t vector, int64_t tile) {
  const HeadVector x = planes_of_[static_cast<size_t>(vector)];
  const int64_t first = tile * kScanTileRows;
  const float* scale = form.values(HeadScanForm::scale) + first;
  const float* error_max = form.values(HeadScanForm::error_max) + first;
  const float* error_norm = form.values(HeadScanForm::error_norm) + first;
  const float* norm = form.values(HeadScanForm::norm) + first;
  const int32_t* high = high_.data() + vector * padded_rows_ + first;
  const int32_t* low = low_.data() + vector * padded_rows_ + first;
  // Arrays of its own, which nothing else can be, so that compilers vectorise.
  float lower[kScanTileRows];
  float upper[kScanTileRows];
  for (int r = 0; r < kScanTileRows; ++r) {
    const float product = static_cast<float>(high[r] - x.high_correction) * 256.0f +
                          static_cast<float>(low[r] - x.low_correction);
    const float logit = product * (scale[r] * x.scale);
    const float radius =
        error_max[r] * x.outliers + error_norm[r] * x.rest + norm[r] * x.others + kTiny;
    lower[r] = logit - radius;
    upper[r] = logit + radius;
  }
  for (int64_t r = std::max<int64_t>(vectors_.rows - first, 0); r < kScanTileRows; ++r) {
    lower[r] = upper[r] = -kInfinity;
  }
  const Bounds to = bounds(vector);
  std::copy_n(lower, kScanTileRows, to.lower + first);
  std::copy_n(upper, kScanTileRows, to.upper + first);
  to.tile_lower[tile] = largest(lower);
  to.tile_upper[tile] = largest(upper);
}

/// Bounds of scores in place of bounds of logits: change() rises with the score. What a tile's
/// largest bounds lose is not taken from them; they only say where to look.
void HeadScan::apply_changes(const ScoreChanges& changes, const Bounds& bounds) const {
  for (const int32_t id : changes.ids) {
    if (id < 0 || id >= vectors_.rows) continue;
    const int64_t tile = id / kScanTileRows;
    bounds.lower[id] = changes.change(id, bounds.lower[id]);
    bounds.upper[id] = changes.change(id, bounds.upper[id]);
    bounds.tile_lower[tile] = std::max(bounds.tile_lower[tile], bounds.lower[id]);
    bounds.tile_upper[tile] = std::max(bounds.tile_upper[tile], bounds.upper[id]);
  }
}

/// What a row's upper bound must reach: at least `best` scores do.
double HeadScan::threshold(const HeadQuery& query, const Bounds& bounds) {
  best_.clear();
  const auto count = static_cast<size_t>(std::min(query.best, vectors_.rows));
  const auto add = [&](float bound) {
    if (best_.size() == count) {
      if (bound <= best_.front()) return;
      std::pop_heap(best_.begin(), best_.end(), std::greater<>());
      best_.pop_back();
    }
    best_.push_back(bound);
    std::push_heap(best_.begin(), best_.end(), std::greater<>());
  };
  for (int64_t tile = 0; tile < used_tiles(); ++tile) {
    if (best_.size() == count && bounds.tile_lower[tile] <= best_.front()) continue;
    const int64_t first = tile * kScanTileRows;
    const int64_t end = std::min(first + kScanTileRows, vectors_.rows);
    for (int64_t row = first; row < end; ++row) add(bounds.lower[row]);
  }
  return static_cast<double>(best_.front()) - query.window;
}

void HeadScan::collect(double least, const Bounds& bounds) {
  ids_.clear();
  for (int64_t tile = 0; tile < used_tiles(); ++tile) {
    if (bounds.tile_upper[tile] < least) continue;
    const int64_t first = tile * kScanTileRows;
    const int64_t end = std::min(first + kScanTileRows, vectors_.rows);
    for (int64_t row = first; row < end; ++row) {
      if (bounds.upper[row] >= least) ids_.push_back(static_cast<int32_t>(row));
    }
  }
}

/// The candidates' logits in full; of many, those of the whole table, which is read in order.
void HeadScan::rescore(Context::Impl& context, const Dense& table, const float* x) {
  const auto count = static_cast<int64_t>(ids_.size());
  float* logits = all_logits_.data();
  if (4 * count > vectors_.rows) {
    multiply_dense(context, table, x, 1, logits);
  } else {
    const bool bf16 = table.format == Float16::bf16;
    const auto* kernel = bf16 ? context.kernels.dense_bf16 : context.kernels.dense_f16;
    const kernels::Dense16F32 p{table.weight, table.cols, x, 1, logits, table.rows};
    const auto part = [&](base::Range range) {
      for (int64_t i = range.begin; i < range.end; ++i) {
        const int64_t row = ids_[static_cast<size_t>(i)];
        kernel->function(p, row, row + 1);
      }
    };
    context.pool.parallel_for(count, std::cref(part), kWorthAThread / table.cols + 1);
  }
  logits_.resize(ids_.size());
  for (size_t i = 0; i < ids_.size(); ++i) logits_[i] = logits[ids_[i]];
}

HeadCandidates HeadScan::candidates(Context::Impl& context, const Dense& table,
                                    const HeadQuery& query) {
  RSR_CHECK_OP(vectors_.rows, <=, table.rows);
  RSR_CHECK_OP(query.vector, <, vectors_.batch);
  RSR_CHECK_OP(query.best, >=, 1);
  const Bounds of_vector = bounds(query.vector);
  if (query.changes != nullptr) apply_changes(*query.changes, of_vector);
  collect(threshold(query, of_vector), of_vector);
  rescore(context, table, vectors_.x + query.vector * table.cols);
  return {ids_, logits_};
}

}  // namespace rsr::linear
