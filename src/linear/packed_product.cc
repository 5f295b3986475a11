#include "linear/packed_product.h"

#include <array>
#include <cstring>
#include <functional>

#include "base/check.h"

namespace rsr::linear {
namespace {

using kernels::MatvecF32;
using kernels::MatvecI8;
using matrix::ColumnLayout;
using matrix::Format;
using matrix::Packed;

kernels::PackedMatrix matrix_of(const PackedProduct& product) {
  const Packed& packed = *product.packed;
  kernels::PackedMatrix w;
  w.lines = packed.lines();
  w.tile_stride = packed.tile_stride();
  w.tile_lines = packed.lines_per_tile();
  if (product.scales != nullptr && product.scales->grouped() && product.sums == nullptr) {
    w.group_lines = packed.layout().steps_per_segment();
    w.group_scales = product.scales->of_groups();
  }
  return w;
}

kernels::Output output_of(const PackedProduct& product, const float* token_scales) {
  kernels::Output out;
  out.rows = product.packed->rows();
  out.stride = out.rows;
  out.sums = product.sums;
  out.y = product.y;
  out.token_scales = token_scales;
  if (product.scales != nullptr && !product.scales->grouped()) {
    out.row_scales = product.scales->of_rows();
    out.scale = product.scales->of_matrix();
  }
  return out;
}

/// Sums of each segment of each row of x: [segments][batch].
const int32_t* segment_sums(Context::Impl& context, const ColumnLayout& layout, const RowsI8& x) {
  if (x.sums != nullptr && layout.segments() == 1) return x.sums;
  context.corrections.reserve_discard(static_cast<size_t>(layout.segments() * x.batch));
  int32_t* sums = context.corrections.data();
  for (int64_t s = 0; s < layout.segments(); ++s) {
    const base::Range columns = layout.columns(s);
    for (int64_t t = 0; t < x.batch; ++t) {
      int32_t sum = 0;
      for (int64_t c = columns.begin; c < columns.end; ++c) sum += x.x[t * x.stride + c];
      sums[s * x.batch + t] = sum;
    }
  }
  return sums;
}

/// Zeros, for {0, 1}: its codes are its values.
const int32_t* no_corrections(Context::Impl& context, const ColumnLayout& layout, int64_t batch) {
  const auto count = static_cast<size_t>(layout.segments() * batch);
  context.corrections.reserve_discard(count);
  std::fill_n(context.corrections.data(), count, 0);
  return context.corrections.data();
}

/// Rows of x with the padding of a layout: as they are where that is enough.
RowsI8 padded(Context::Impl& context, const ColumnLayout& layout, const RowsI8& x) {
  if (layout.contiguous() && x.readable >= layout.padded_cols()) return x;
  RowsI8 out = x;
  out.stride = out.readable = layout.padded_cols();
  context.x_i8.reserve_discard(static_cast<size_t>(x.batch * out.stride));
  std::memset(context.x_i8.data(), 0, static_cast<size_t>(x.batch * out.stride));
  for (int64_t t = 0; t < x.batch; ++t) {
    int8_t* row = context.x_i8.data() + t * out.stride;
    for (int64_t s = 0; s < layout.segments(); ++s) {
      const base::Range columns = layout.columns(s);
      std::memcpy(row + s * layout.steps_per_segment() * layout.step(),
                  x.x + t * x.stride + columns.begin,
                  static_cast<size_t>(columns.end - columns.begin));
    }
  }
  out.x = context.x_i8.data();
  return out;
}

/// Token tiles of `width`: [tile][step of four columns][its tokens][4].
const int8_t* in_token_tiles(Context::Impl& context, const RowsI8& x, int64_t cols, int width) {
  context.x_tiles.reserve_discard(static_cast<size_t>(x.batch * cols));
  int8_t* tiles = context.x_tiles.data();
  const int64_t count = (x.batch + width - 1) / width;
  const auto pack = [&](base::Range range) {
    for (int64_t first = range.begin * width; first < std::min(x.batch, range.end * width);
         first += width) {
      const int64_t tokens = std::min<int64_t>(width, x.batch - first);
      for (int64_t t = 0; t < tokens; ++t) {
        const int8_t* row = x.x + (first + t) * x.stride;
        int8_t* out = tiles + first * cols + 4 * t;
        for (int64_t c = 0; c < cols; c += 4, out += 4 * tokens) std::memcpy(out, row + c, 4);
      }
    }
  };
  context.pool.parallel_for(count, std::cref(pack), 1 + (int64_t{1} << 16) / (cols * width));
  return tiles;
}

/// One product of a pass, ready to run over ranges of tiles.
struct Job {
  const kernels::MatvecI8Kernel* kernel = nullptr;
  MatvecI8 params;
  int64_t tiles = 0;
};

/// Runs all jobs side by side: thread i takes the i-th part of all tiles, so each streams its own
/// rows and there is one barrier for all.
void run_jobs(Context::Impl& context, std::span<const Job> jobs) {
  int64_t tiles = 0;
  int64_t work = 1;
  for (const Job& job : jobs) {
    tiles += job.tiles;
    work = std::max(work, kernels::kMatvecTileRows * job.params.x_cols * job.params.batch);
  }
  const auto part = [&](base::Range range) {
    int64_t first = 0;
    for (const Job& job : jobs) {
      const int64_t begin = std::max(range.begin - first, int64_t{0});
      const int64_t end = std::min(range.end - first, job.tiles);
      if (begin < end) job.kernel->function(job.params, begin, end);
      first += job.tiles;
    }
  };
  context.pool.parallel_for(tiles, std::cref(part), kWorthAThread / work + 1);
}

/// A packed matrix without a kernel for the kind of input is repacked to t2, which has all; once
/// per product: such a weight was prepared for the other kind.
Packed to_t2(const Packed& packed) {
  return packed.repacked(Format::t2);
}

/// Jobs of one pass. Inputs, sums and tiles of them are in the context's scratch.
void make_jobs(Context::Impl& context, std::span<const PackedProduct> products, const RowsI8& x,
               const float* token_scales, std::span<Job> jobs) {
  // Products with the same layout (all, as a rule) share padded inputs, sums and token tiles.
  const Packed& first = *products[0].packed;
  const auto* kernel = context.kernels.for_batch(first.format(), x.batch);
  const int width = context.kernels.token_tile(*kernel, x.batch);
  const ColumnLayout& layout = first.layout();
  const bool binary = first.alphabet() == matrix::Alphabet::binary;
  const int32_t* corrections =
      binary ? no_corrections(context, layout, x.batch) : segment_sums(context, layout, x);
  const RowsI8 rows = padded(context, layout, x);
  for (size_t i = 0; i < products.size(); ++i) {
    Job& job = jobs[i];
    job.kernel = kernel;
    job.tiles = products[i].packed->tiles();
    MatvecI8& p = job.params;
    p.w = matrix_of(products[i]);
    p.x_cols = width > 1 ? layout.padded_cols() : rows.stride;
    p.token_tile = width;
    p.x = width > 1 ? (i > 0 ? jobs[0].params.x
                             : in_token_tiles(context, rows, layout.padded_cols(), width))
                    : rows.x;
    p.batch = x.batch;
    p.prefetch = context.kernels.tuning.of(first.format()).prefetch;
    p.corrections = corrections;
    p.shift = products[i].packed->alphabet() == matrix::Alphabet::signs ? 1 : 0;
    p.out = output_of(products[i], token_scales);
  }
}

void multiply_pass(Context::Impl& context, std::span<const PackedProduct> products, const RowsI8& x,
                   const float* token_scales) {
  std::array<Job, kProductsAtOnce> jobs;
  make_jobs(context, products, x, token_scales, jobs);
  run_jobs(context, std::span(jobs).first(products.size()));
}

/// True when both products can be one pass: the same inputs in the same layout.
bool same_pass(const PackedProduct& a, const PackedProduct& b) {
  const Packed& x = *a.packed;
  const Packed& y = *b.packed;
  const bool same_groups = (a.sums != nullptr) == (b.sums != nullptr) &&
                           x.layout().group_size() == y.layout().group_size();
  return x.format() == y.format() && x.alphabet() == y.alphabet() && same_groups;
}

/// Floats that meet a unit of lines, and the lines of a unit; x itself where there are no tables.
struct FloatInputs {
  int64_t floats = 0;  // of a token
  int64_t unit_lines = 1;
  int64_t unit_floats = 16;
  const kernels::Kernel<kernels::TablesF32Function>* tables = nullptr;
};

FloatInputs float_inputs(const Context::Impl& context, const Packed& packed) {
  FloatInputs in;
  if (packed.format() == Format::t3) in = {0, 1, kernels::kT3LineFloats, context.kernels.tables_t3};
  if (packed.format() == Format::b1) in = {0, 2, kernels::kB1PairFloats, context.kernels.tables_b1};
  const ColumnLayout& layout = packed.layout();
  for (int64_t s = 0; s < layout.segments(); ++s) {
    in.floats += (layout.steps(s) + in.unit_lines - 1) / in.unit_lines * in.unit_floats;
  }
  return in;
}

/// What a kernel reads of one token, at `out`.
void make_inputs(Context::Impl& context, const FloatInputs& in, const Packed& packed,
                 const float* x, float* out) {
  const ColumnLayout& layout = packed.layout();
  if (in.tables == nullptr) {
    std::fill_n(out, in.floats, 0.0f);
    layout.for_each_column([&](int64_t col, int64_t place) { out[place] = x[col]; });
    return;
  }
  for (int64_t s = 0; s < layout.segments(); ++s) {
    const base::Range columns = layout.columns(s);
    const kernels::TablesF32 p{x + columns.begin, columns.end - columns.begin,
                               packed.alphabet() == matrix::Alphabet::signs, out};
    const int64_t units = (layout.steps(s) + in.unit_lines - 1) / in.unit_lines;
    const auto part = [&](base::Range range) { in.tables->function(p, range.begin, range.end); };
    context.pool.parallel_for(units, std::cref(part), 128);  // a unit takes 15 to 50 ns
    out += units * in.unit_floats;
  }
}

/// Parameters for `batch` vectors, whose inputs are in the context's scratch; results go to
/// product.y from `y_offset` on.
MatvecF32 float_params(Context::Impl& context, const PackedProduct& product, const float* x,
                       int64_t batch, int64_t y_offset) {
  const Packed& packed = *product.packed;
  const FloatInputs in = float_inputs(context, packed);
  context.x_f32.reserve_discard(static_cast<size_t>(batch * in.floats));
  for (int64_t t = 0; t < batch; ++t) {
    make_inputs(context, in, packed, x + t * packed.cols(), context.x_f32.data() + t * in.floats);
  }
  MatvecF32 p;
  p.w = matrix_of(product);
  p.x = context.x_f32.data();
  p.x_stride = in.floats;
  p.batch = batch;
  p.prefetch = context.kernels.tuning.of(packed.format()).prefetch;
  p.out = output_of(product, nullptr);
  if (p.out.y != nullptr) p.out.y += y_offset;
  return p;
}

/// The rows from tile `tile` on as a matrix of its own, whose results go to `y`.
template <class Params>
Params from_tile(Params p, int64_t tile, float* y) {
  const int64_t row = tile * kernels::kMatvecTileRows;
  p.w.lines += tile * p.w.tile_stride;
  if (p.w.group_scales != nullptr) {
    p.w.group_scales += tile * p.w.groups() * kernels::kMatvecTileRows;
  }
  if (p.out.row_scales != nullptr) p.out.row_scales += row;
  p.out.rows -= row;
  p.out.y = y;
  return p;
}

/// Runs a product of one vector some rows at a time, their scores in L1.
template <class Params, class Function>
void scan(Context::Impl& context, const Packed& packed, const Params& params, Function* function,
          const ReceiveScores& receive) {
  constexpr int64_t kTiles = 128;  // 2,048 scores: 8 KiB
  const auto part = [&](base::Range range) {
    alignas(64) float scores[kTiles * kernels::kMatvecTileRows];
    for (int64_t tile = range.begin; tile < range.end; tile += kTiles) {
      const int64_t tiles = std::min(range.end - tile, kTiles);
      function(from_tile(params, tile, scores), 0, tiles);
      const int64_t first = tile * kernels::kMatvecTileRows;
      receive({first, std::min(packed.rows(), first + tiles * kernels::kMatvecTileRows)}, scores);
    }
  };
  const int64_t work = kernels::kMatvecTileRows * packed.cols();
  context.pool.parallel_for(packed.tiles(), std::cref(part), kWorthAThread / work + 1);
}

// Vectors whose tables exist at once: at 14,336 columns 610 KB each.
constexpr int64_t kFloatTokens = 4;

}  // namespace

void multiply_packed(Context::Impl& context, std::span<const PackedProduct> products,
                     const RowsI8& x, const float* token_scales) {
  while (!products.empty()) {
    const PackedProduct& first = products[0];
    if (context.kernels.for_batch(first.packed->format(), x.batch) == nullptr) {
      const Packed repacked = to_t2(*first.packed);
      PackedProduct product = first;
      product.packed = &repacked;
      multiply_pass(context, {&product, 1}, x, token_scales);
      products = products.subspan(1);
      continue;
    }
    size_t count = 1;
    while (count < products.size() && count < kProductsAtOnce &&
           same_pass(first, products[count])) {
      ++count;
    }
    multiply_pass(context, products.first(count), x, token_scales);
    products = products.subspan(count);
  }
}

void multiply_packed(Context::Impl& context, const PackedProduct& product, const float* x,
                     int64_t batch) {
  const Packed& packed = *product.packed;
  const auto* kernel = context.kernels.matvec_f32[static_cast<size_t>(packed.format())];
  if (kernel == nullptr) {
    const Packed repacked = to_t2(packed);
    PackedProduct other = product;
    other.packed = &repacked;
    return multiply_packed(context, other, x, batch);
  }
  const int64_t at_once = std::min(batch, kFloatTokens);
  for (int64_t token = 0; token < batch; token += at_once) {
    const int64_t tokens = std::min(at_once, batch - token);
    const MatvecF32 p =
        float_params(context, product, x + token * packed.cols(), tokens, token * packed.rows());
    const auto part = [&](base::Range tiles) { kernel->function(p, tiles.begin, tiles.end); };
    const int64_t work = kernels::kMatvecTileRows * packed.cols() * tokens;
    context.pool.parallel_for(packed.tiles(), std::cref(part), kWorthAThread / work + 1);
  }
}

void for_each_score(Context::Impl& context, const PackedProduct& product, const RowsI8& x,
                    const ReceiveScores& receive) {
  if (context.kernels.for_batch(product.packed->format(), 1) == nullptr) {
    const Packed repacked = to_t2(*product.packed);
    PackedProduct other = product;
    other.packed = &repacked;
    return for_each_score(context, other, x, receive);
  }
  Job job;
  make_jobs(context, {&product, 1}, x, nullptr, {&job, 1});
  scan(context, *product.packed, job.params, job.kernel->function, receive);
}

void for_each_score(Context::Impl& context, const PackedProduct& product, const float* x,
                    const ReceiveScores& receive) {
  const auto* kernel = context.kernels.matvec_f32[static_cast<size_t>(product.packed->format())];
  if (kernel == nullptr) {
    const Packed repacked = to_t2(*product.packed);
    PackedProduct other = product;
    other.packed = &repacked;
    return for_each_score(context, other, x, receive);
  }
  scan(context, *product.packed, float_params(context, product, x, 1, 0), kernel->function,
       receive);
}

}  // namespace rsr::linear
