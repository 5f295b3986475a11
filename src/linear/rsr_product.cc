#include "linear/rsr_product.h"

#include "segment/multiply.h"
#include "segment/slice_forms.h"

namespace rsr::linear {
namespace {

using kernels::best_kernel;

template <class X, class Y, class List>
void run_groups(const List& list, const RsrWeight& weight, const Batch<X>& x, const Task& task,
                Y* y) {
  const segment::ColumnGroups& groups = *weight.groups();
  base::AlignedArray<std::byte> scratch(segment::scratch_bytes(weight.form(), groups));
  kernels::MatvecGroups<X, Y> p;
  p.groups = &groups;
  p.form = static_cast<int>(weight.form());
  p.index_tile_begin = weight.index_tiles(task.segment).begin;
  p.index_tile_end = weight.index_tiles(task.segment).end;
  p.x = x.x + task.token * x.stride;
  p.x_stride = x.stride;
  p.batch = task.tokens;
  p.y = y;
  p.y_stride = groups.rows;
  p.scratch = scratch.data();
  best_kernel(list, task.kernels.isa).function(p, task.blocks.begin, task.blocks.end);
}

// Blocks whose lanes are summed before they become rows: few enough that their sums stay in L1.
constexpr int64_t kBlocksAtOnce = 64;

/// Block by block and token by token, so that a block's part of the index is read from memory once.
template <class X, class Sum, class Y>
void run_lanes(
    const kernels::Kernel<void(const kernels::Lanes<X, Sum>&, int64_t, int64_t) noexcept>& kernel,
    const RsrWeight& weight, const Batch<X>& x, const Task& task, Y* y) {
  const segment::LaneGroups& groups = *weight.lanes();
  alignas(64) Sum sums[kBlocksAtOnce * segment::kMaxLanes];
  kernels::Lanes<X, Sum> p;
  p.slots = groups.slots.data();
  p.starts = groups.starts.data();
  p.cell_rounds = groups.cell_rounds.data();
  p.lines = groups.lines();
  p.cols = groups.cols;
  p.tile_cols = groups.tile_cols;
  p.tiles = groups.tile_count();
  p.tile_begin = weight.index_tiles(task.segment).begin;
  p.tile_end = weight.index_tiles(task.segment).end;
  p.sums = sums;
  const int64_t lanes = int64_t{groups.lines()} * segment::kLanesOfLine;
  for (int64_t first = task.blocks.begin; first < task.blocks.end; first += kBlocksAtOnce) {
    const int64_t end = std::min(task.blocks.end, first + kBlocksAtOnce);
    for (int64_t t = 0; t < task.tokens; ++t) {
      p.x = x.x + (task.token + t) * x.stride;
      kernel.function(p, first, end);
      for (int64_t block = first; block < end; ++block) {
        Sum rows[segment::kMaxBlockRows];
        weight.lane_form().rows(sums + (block - first) * lanes, rows);
        Y* out = y + t * groups.rows + block * groups.k;
        for (int r = 0; r < groups.block_rows(block); ++r) out[r] = static_cast<Y>(rows[r]);
      }
    }
  }
}

/// One token's inputs as slices read them: every tile with a zero behind it.
template <class Wide, class X>
void widen_tiles(const segment::GroupSlices& g, const X* x, Wide* out) {
  for (int64_t tile = 0; tile < g.tile_count(); ++tile) {
    const int64_t width = g.tile_width(tile);
    out = std::copy_n(x + tile * g.tile_cols, width, out);
    *out++ = 0;
  }
}

struct Place {
  int64_t block;
  int64_t segment;
};

/// The rows of one block and token: slices of each tile, then the form.
template <class Kernel, class Wide, class Sum>
void slice_rows(const Kernel& kernel, const RsrWeight& weight, const Place& place, const Wide* x,
                Sum* scratch, Sum* rows) {
  const segment::GroupSlices& g = *weight.slices();
  Sum* sums = scratch + (segment::pattern_count(g.alphabet, g.k) + 15) / 16 * 16;
  const base::Range tiles = weight.index_tiles(place.segment);
  for (int64_t tile = tiles.begin; tile < tiles.end; ++tile) {
    const int64_t cell = place.block * g.tile_count() + tile;
    const int64_t begin = g.cell_slices[cell];
    const int64_t end = g.cell_slices[cell + 1];
    kernel.function({g.columns.data(), g.slice_steps.data(), x + tile * (g.tile_cols + 1), sums},
                    begin, end);
    const std::span patterns(g.patterns.data() + begin * segment::kSliceGroups,
                             static_cast<size_t>((end - begin) * segment::kSliceGroups));
    segment::add_slices(weight.form(), g, patterns, sums, scratch, rows);
  }
}

template <class Wide, class Sum, class X, class Y>
void run_slices(const kernels::Kernel<void(const kernels::Slices<Wide, Sum>&, int64_t,
                                           int64_t) noexcept>& kernel,
                const RsrWeight& weight, const Batch<X>& x, const Task& task, Y* y) {
  const segment::GroupSlices& g = *weight.slices();
  base::AlignedArray<Wide> inputs(static_cast<size_t>(g.cols + g.tile_count()));
  // The table of a fold, and a sum for each pattern; both start on a line.
  const int64_t patterns = (segment::pattern_count(g.alphabet, g.k) + 15) / 16 * 16;
  base::AlignedArray<Sum> scratch(static_cast<size_t>(2 * patterns));
  for (int64_t t = 0; t < task.tokens; ++t) {
    widen_tiles(g, x.x + (task.token + t) * x.stride, inputs.data());
    for (int64_t block = task.blocks.begin; block < task.blocks.end; ++block) {
      Sum rows[segment::kMaxBlockRows] = {};
      slice_rows(kernel, weight, {block, task.segment}, inputs.data(), scratch.data(), rows);
      Y* out = y + t * g.rows + block * g.k;
      for (int r = 0; r < g.block_rows(block); ++r) out[r] = static_cast<Y>(rows[r]);
    }
  }
}

/// From the binary matrix B to W = 2 B - 1. Twice a sum may wrap, the result never does.
int32_t sign_sum(int32_t binary_sum, int32_t x_sum) {
  return static_cast<int32_t>(2u * static_cast<uint32_t>(binary_sum) -
                              static_cast<uint32_t>(x_sum));
}
float sign_sum(float binary_sum, float x_sum) {
  return 2 * binary_sum - x_sum;
}

template <class Sum, class Y>
void to_signs(const RsrWeight& weight, const Task& task, const Sum& sum_of_token, Y* y) {
  const int64_t k = weight.k();
  const int64_t end = std::min(task.blocks.end * k, weight.rows());
  for (int64_t t = 0; t < task.tokens; ++t) {
    const Y sum = sum_of_token(task.token + t);
    for (int64_t r = task.blocks.begin * k; r < end; ++r) {
      Y& value = y[t * weight.rows() + r];
      value = sign_sum(value, sum);
    }
  }
}

/// The sum of a segment's columns of one token, in double: every thread gets the same bits.
float float_sum(const RsrWeight& weight, const Batch<float>& x, int64_t segment, int64_t token) {
  const base::Range columns = weight.layout().columns(segment);
  double sum = 0;
  for (int64_t c = columns.begin; c < columns.end; ++c) sum += x.x[token * x.stride + c];
  return static_cast<float>(sum);
}

}  // namespace

void compute(const RsrWeight& weight, const Batch<int8_t>& x, const Task& task, int32_t* y) {
  if (weight.lanes() != nullptr) {
    run_lanes(*task.kernels.lanes_i8, weight, x, task, y);
  } else if (weight.slices() != nullptr) {
    run_slices(*task.kernels.slices_i32, weight, x, task, y);
  } else {
    run_groups(kernels::kMatvecGroupsI8, weight, x, task, y);
  }
  if (weight.signs()) {
    to_signs(
        weight, task, [&](int64_t t) { return x.sums[task.segment * x.batch + t]; }, y);
  }
}

void compute(const RsrWeight& weight, const Batch<float>& x, const Task& task, float* y) {
  if (weight.lanes() != nullptr) {
    run_lanes(*task.kernels.lanes_f32, weight, x, task, y);
  } else if (weight.slices() != nullptr) {
    run_slices(*task.kernels.slices_f32, weight, x, task, y);
  } else {
    run_groups(kernels::kMatvecGroupsF32, weight, x, task, y);
  }
  if (weight.signs()) {
    to_signs(
        weight, task, [&](int64_t t) { return float_sum(weight, x, task.segment, t); }, y);
  }
}

}  // namespace rsr::linear
