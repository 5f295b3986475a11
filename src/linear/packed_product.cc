#include "linear/packed_product.h"

#include <array>

#include "linear/batch_index.h"
#include "linear/cost_model.h"

namespace rsr::linear {
namespace {

using kernels::MatvecI8;
using matrix::ColumnLayout;
using matrix::Packed;

/// Zeros, for {0, 1}: its codes are its values.
const int32_t* no_corrections(Context::Impl& context, const ColumnLayout& layout, int64_t batch) {
  const auto count = static_cast<size_t>(layout.segments() * batch);
  context.corrections.reserve_discard(count);
  std::fill_n(context.corrections.data(), count, 0);
  return context.corrections.data();
}

/// One product of a pass, ready to run over ranges of tiles.
struct Job {
  kernels::MatvecI8Function* function = nullptr;
  int64_t scratch_bytes = 0;
  MatvecI8 params;
  int64_t tiles = 0;
  kernels::GrayGroups gray;
};

/// Runs all jobs side by side: thread i takes the i-th part of all tiles, so each streams its own
/// rows and there is one barrier for all.
void run_jobs(Context::Impl& context, std::span<const Job> jobs) {
  int64_t tiles = 0;
  int64_t work = 1;
  int64_t scratch_bytes = 0;
  for (const Job& job : jobs) {
    tiles += job.tiles;
    work = std::max(work, kernels::kMatvecTileRows * job.params.x_cols * job.params.batch);
    scratch_bytes = std::max(scratch_bytes, job.scratch_bytes);
  }
  context.kernel_scratch.reserve_discard(
      static_cast<size_t>(context.pool.threads() * scratch_bytes));
  uint8_t* scratch = context.kernel_scratch.data();
  const auto part = [&](base::Range range) {
    int64_t first = 0;
    for (const Job& job : jobs) {
      const int64_t begin = std::max(range.begin - first, int64_t{0});
      const int64_t end = std::min(range.end - first, job.tiles);
      if (begin < end) {
        MatvecI8 params = job.params;
        params.gray = &job.gray;
        params.scratch = scratch + base::pool_thread() * scratch_bytes;
        job.function(params, begin, end);
      }
      first += job.tiles;
    }
  };
  context.pool.parallel_for(tiles, std::cref(part), kWorthAThread / work + 1);
}

int64_t rows_of(std::span<const PackedProduct> products) {
  int64_t rows = 0;
  for (const PackedProduct& product : products) rows += product.packed->rows();
  return rows;
}

BatchShape shape_of(const Context::Impl& context, std::span<const PackedProduct> products,
                    int64_t batch) {
  return {batch,
          rows_of_call(rows_of(products), static_cast<int64_t>(products.size()),
                       context.pool.threads()),
          products[0].packed->layout().segments() > 1};
}

/// The kernel of a pass for packed weights; null when the format has none.
const kernels::MatvecI8Kernel* kernel_of(const Context::Impl& context,
                                         std::span<const PackedProduct> products, int64_t batch) {
  return context.kernels.for_batch(products[0].packed->format(),
                                   shape_of(context, products, batch));
}

/// Jobs of one pass. Inputs and sums of them are in the context's scratch; all products have the
/// same layout and share them.
void make_jobs(Context::Impl& context, std::span<const PackedProduct> products, const RowsI8& x,
               const float* token_scales, std::span<Job> jobs) {
  const Packed& first = *products[0].packed;
  const bool indexed = by_index(context, products, x.batch, false);
  const auto* kernel = kernel_of(context, products, x.batch);
  const ColumnLayout& layout = first.layout();
  const bool binary = first.alphabet() == matrix::Alphabet::binary;
  MatvecI8 shared;
  shared.corrections =
      binary ? no_corrections(context, layout, x.batch) : segment_sums(context, layout, x);
  const int token_tile = indexed ? context.kernels.gemm_gray_i8->token_tile
                                 : context.kernels.token_tile(*kernel, x.batch);
  const InputsI8 inputs = lay_out(context, layout, x, token_tile);
  shared.x = inputs.x;
  shared.x_cols = inputs.x_cols;
  shared.token_tile = inputs.token_tile;
  shared.batch = x.batch;
  shared.prefetch = context.kernels.tuning.of(first.format()).prefetch;
  shared.shift = first.alphabet() == matrix::Alphabet::signs ? 1 : 0;
  for (size_t i = 0; i < products.size(); ++i) {
    Job& job = jobs[i];
    job = {kernel->function, kernel->scratch_bytes, shared, products[i].packed->tiles(), {}};
    job.params.w = matrix_of(products[i]);
    job.params.out = output_of(products[i], token_scales);
    if (!indexed) continue;
    job.function = context.kernels.gemm_gray_i8->function;
    job.gray = products[i].index->groups();
    job.scratch_bytes = kernels::gray_scratch_bytes(job.gray);
  }
}

/// True when both products can be one pass: the same inputs in the same layout.
bool same_pass(const PackedProduct& a, const PackedProduct& b) {
  const Packed& x = *a.packed;
  const Packed& y = *b.packed;
  const bool same_groups = (a.sums != nullptr) == (b.sums != nullptr) &&
                           x.layout().group_size() == y.layout().group_size();
  return x.format() == y.format() && x.alphabet() == y.alphabet() && same_groups &&
         (a.index == nullptr) == (b.index == nullptr);
}

}  // namespace

bool by_index(const Context::Impl& context, std::span<const PackedProduct> products, int64_t batch,
              bool floats) {
  const GrayKernel kernel = gray_kernel(context.kernels, floats);
  // Fewer vectors never gain; so decoding asks no further.
  if (kernel.name == nullptr || batch <= kernel.token_tile / 4) return false;
  double additions = 0;
  for (const PackedProduct& product : products) {
    const Weight::BatchIndex* index = product.index;
    if (index == nullptr || index->floats() != floats || index->stream.stride != kernel.stride) {
      return false;
    }
    additions += static_cast<double>(index->stream.additions);
  }
  const Weight::BatchIndex& first = *products[0].index;
  if (first.asked_for) return true;
  CostQuestion q =
      gray_question(context.kernels, {first.stream, additions, floats, first.compiled()});
  q.rows = rows_of(products);
  q.batch = batch;
  q.threads = context.pool.threads();
  return assumed_rate(q) > assumed_rate(context.kernels, products[0].packed->format(),
                                        shape_of(context, products, batch), floats);
}

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

void multiply_packed(Context::Impl& context, std::span<const PackedProduct> products,
                     const RowsI8& x, const float* token_scales) {
  while (!products.empty()) {
    const PackedProduct& first = products[0];
    if (kernel_of(context, {&first, 1}, x.batch) == nullptr) {
      with_t2(first, [&](const PackedProduct& product) {
        multiply_packed(context, {&product, 1}, x, token_scales);
      });
      products = products.subspan(1);
      continue;
    }
    size_t count = 1;
    while (count < products.size() && count < kProductsAtOnce &&
           same_pass(first, products[count])) {
      ++count;
    }
    std::array<Job, kProductsAtOnce> jobs;
    make_jobs(context, products.first(count), x, token_scales, jobs);
    run_jobs(context, std::span(jobs).first(count));
    products = products.subspan(count);
  }
}

void for_each_score(Context::Impl& context, const PackedProduct& product, const RowsI8& x,
                    const ReceiveScores& receive) {
  if (kernel_of(context, {&product, 1}, 1) == nullptr) {
    return with_t2(product,
                   [&](const PackedProduct& other) { for_each_score(context, other, x, receive); });
  }
  Job job;
  make_jobs(context, {&product, 1}, x, nullptr, {&job, 1});
  const auto part = [&](base::Range tiles) { scan(job.params, tiles, job.function, receive); };
  const int64_t work = kernels::kMatvecTileRows * product.packed->cols();
  context.pool.parallel_for(job.tiles, std::cref(part), kWorthAThread / work + 1);
}

}  // namespace rsr::linear
