#include "linear/head_scan.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/check.h"
#include "kernels/scan/scan.h"
#include "linear/head_vector.h"
#include "linear/packed_product.h"

namespace rsr::linear {
namespace {

using kernels::kScanTileRows;

constexpr float kInfinity = std::numeric_limits<float>::infinity();
// Above all that underflow can do, to the sum in float (cols * 2^-149) and to the estimate.
constexpr float kTiny = 1e-30f;

/// The largest float that is not above a number, and the least that is not below.
float round_down(double value) {
  if (value > std::numeric_limits<float>::max()) return std::numeric_limits<float>::max();
  if (value < -std::numeric_limits<float>::max()) return -kInfinity;
  const auto nearest = static_cast<float>(value);
  return nearest <= value ? nearest : std::nextafter(nearest, -kInfinity);
}
float round_up(double value) {
  return -round_down(-value);
}

/// The largest of a tile, by halves: no branches.
float largest(const float (&values)[kScanTileRows]) {
  float half[kScanTileRows];
  std::copy_n(values, kScanTileRows, half);
  for (int count = kScanTileRows / 2; count > 0; count /= 2) {
    for (int i = 0; i < count; ++i) half[i] = std::max(half[i], half[i + count]);
  }
  return half[0];
}

/// One query on its way.
class Search {
 public:
  Search(Context::Impl& context, const Dense& table, const HeadScanForm& form,
         const HeadQuery& query, HeadScanScratch& scratch)
      : context_(context), table_(table), form_(form), query_(query), s_(scratch) {
    const auto padded = static_cast<size_t>(form.padded_rows());
    const auto tiles = static_cast<size_t>(form.tiles());
    for (auto* sums : {&s_.high, &s_.low}) sums->reserve_discard(padded);
    for (auto* bounds : {&s_.lower, &s_.upper}) bounds->reserve_discard(padded);
    for (auto* bounds : {&s_.tile_lower, &s_.tile_upper}) bounds->reserve_discard(tiles);
    s_.x.reserve_discard(static_cast<size_t>(form.steps() * kernels::kScanXBytes));
    s_.all_logits.reserve_discard(static_cast<size_t>(table.rows));
  }

  std::optional<HeadCandidates> run() {
    const HeadVector x = make_head_vector(query_.x, form_, s_.x.data());
    const double most = std::max(form_.largest_norm, 1.0f) * x.magnitude;
    if (!(most < kHeadMostMagnitude)) return std::nullopt;
    scan(x);
    if (query_.changes != nullptr) apply_changes();
    collect(threshold());
    rescore();
    return HeadCandidates{s_.ids, s_.logits};
  }

 private:
  /// Tiles that hold rows that count.
  int64_t used_tiles() const { return (query_.rows + kScanTileRows - 1) / kScanTileRows; }

  /// Bounds of all rows that count, on all threads.
  void scan(const HeadVector& x) {
    const kernels::ScanI8 p{form_.lines.data(), form_.steps(), s_.x.data(), s_.high.data(),
                            s_.low.data()};
    const auto part = [&](base::Range tiles) {
      context_.kernels.scan->function(p, tiles.begin, tiles.end);
      for (int64_t tile = tiles.begin; tile < tiles.end; ++tile) bound_tile(x, tile);
    };
    const int64_t work = form_.steps() * kernels::kScanLineBytes;
    context_.pool.parallel_for(used_tiles(), std::cref(part), kWorthAThread / work + 1);
  }

  void bound_tile(const HeadVector& x, int64_t tile) {
    const int64_t first = tile * kScanTileRows;
    const float* scale = form_.values(HeadScanForm::scale) + first;
    const float* error_max = form_.values(HeadScanForm::error_max) + first;
    const float* error_norm = form_.values(HeadScanForm::error_norm) + first;
    const float* norm = form_.values(HeadScanForm::norm) + first;
    const int32_t* high = s_.high.data() + first;
    const int32_t* low = s_.low.data() + first;
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
    for (int64_t r = std::max<int64_t>(query_.rows - first, 0); r < kScanTileRows; ++r) {
      lower[r] = upper[r] = -kInfinity;
    }
    std::copy_n(lower, kScanTileRows, s_.lower.data() + first);
    std::copy_n(upper, kScanTileRows, s_.upper.data() + first);
    s_.tile_lower[tile] = largest(lower);
    s_.tile_upper[tile] = largest(upper);
  }

  /// Bounds of scores in place of bounds of logits: change() rises with the score. What a tile's
  /// largest bounds lose is not taken from them; they only say where to look.
  void apply_changes() {
    for (const int32_t id : query_.changes->ids) {
      if (id < 0 || id >= query_.rows) continue;
      const auto row = static_cast<size_t>(id);
      const auto tile = row / kScanTileRows;
      s_.lower[row] = round_down(query_.changes->change(id, s_.lower[row]));
      s_.upper[row] = round_up(query_.changes->change(id, s_.upper[row]));
      s_.tile_lower[tile] = std::max(s_.tile_lower[tile], s_.lower[row]);
      s_.tile_upper[tile] = std::max(s_.tile_upper[tile], s_.upper[row]);
    }
  }

  /// What a row's upper bound must reach: at least `best` scores do.
  double threshold() {
    std::vector<float>& heap = s_.best;
    heap.clear();
    const auto count = static_cast<size_t>(std::min(query_.best, query_.rows));
    const auto add = [&](float bound) {
      if (heap.size() == count) {
        if (bound <= heap.front()) return;
        std::pop_heap(heap.begin(), heap.end(), std::greater<>());
        heap.pop_back();
      }
      heap.push_back(bound);
      std::push_heap(heap.begin(), heap.end(), std::greater<>());
    };
    for (int64_t tile = 0; tile < used_tiles(); ++tile) {
      if (heap.size() == count && s_.tile_lower[tile] <= heap.front()) continue;
      const int64_t first = tile * kScanTileRows;
      const int64_t end = std::min(first + kScanTileRows, query_.rows);
      for (int64_t row = first; row < end; ++row) add(s_.lower[row]);
    }
    return static_cast<double>(heap.front()) - query_.window;
  }

  void collect(double least) {
    s_.ids.clear();
    for (int64_t tile = 0; tile < used_tiles(); ++tile) {
      if (s_.tile_upper[tile] < least) continue;
      const int64_t first = tile * kScanTileRows;
      const int64_t end = std::min(first + kScanTileRows, query_.rows);
      for (int64_t row = first; row < end; ++row) {
        if (s_.upper[row] >= least) s_.ids.push_back(static_cast<int32_t>(row));
      }
    }
  }

  /// The candidates' logits in full; of many, those of the whole table, which is read in order.
  void rescore() {
    const auto count = static_cast<int64_t>(s_.ids.size());
    float* logits = s_.all_logits.data();
    if (4 * count > query_.rows) {
      multiply_dense(context_, table_, query_.x, 1, logits);
    } else {
      const bool bf16 = table_.format == Float16::bf16;
      const auto* kernel = bf16 ? context_.kernels.dense_bf16 : context_.kernels.dense_f16;
      const kernels::Dense16F32 p{table_.weight, table_.cols, query_.x, 1, logits, table_.rows};
      const auto part = [&](base::Range range) {
        for (int64_t i = range.begin; i < range.end; ++i) {
          const int64_t row = s_.ids[static_cast<size_t>(i)];
          kernel->function(p, row, row + 1);
        }
      };
      context_.pool.parallel_for(count, std::cref(part), kWorthAThread / table_.cols + 1);
    }
    s_.logits.resize(s_.ids.size());
    for (size_t i = 0; i < s_.ids.size(); ++i) {
      s_.logits[i] = logits[s_.ids[i]];
    }
  }

  Context::Impl& context_;
  const Dense& table_;
  const HeadScanForm& form_;
  const HeadQuery& query_;
  HeadScanScratch& s_;
};

}  // namespace

std::optional<HeadCandidates> find_candidates(Context::Impl& context, const Dense& table,
                                              const HeadScanForm& form, const HeadQuery& query,
                                              HeadScanScratch& scratch) {
  RSR_CHECK_OP(form.rows, ==, table.rows);
  RSR_CHECK_OP(form.cols, ==, table.cols);
  RSR_CHECK_OP(query.rows, >=, 1);
  RSR_CHECK_OP(query.rows, <=, table.rows);
  RSR_CHECK_OP(query.best, >=, 1);
  return Search(context, table, form, query, scratch).run();
}

}  // namespace rsr::linear
