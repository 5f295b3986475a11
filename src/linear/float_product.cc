// Products of float inputs: each thread makes the tables of sums that it looks up.
#include <bit>

#include "base/check.h"
#include "kernels/matvec/floats.h"
#include "linear/batch_index.h"
#include "linear/packed_product.h"

namespace rsr::linear {
namespace {

using kernels::MatvecF32;
using matrix::ColumnLayout;
using matrix::Format;
using matrix::Packed;

// Vectors whose tables exist at once: at 14,336 columns 610 KB each.
constexpr int64_t kFloatTokens = 4;

/// What the kernels of a format read for some lines, and how it is made: tables of sums for each
/// unit of lines, or, without tables, x itself.
struct FloatInputs {
  int64_t floats = 0;  // of a token
  int64_t unit_lines = 1;
  int64_t unit_floats = 16;
  const kernels::Kernel<kernels::TablesF32Function>* tables = nullptr;

  int64_t units(int64_t lines) const { return (lines + unit_lines - 1) / unit_lines; }
};

FloatInputs float_inputs(const Context::Impl& context, const Packed& packed) {
  FloatInputs in;
  if (packed.format() == Format::t3) in = {0, 1, kernels::kT3LineFloats, context.kernels.tables_t3};
  if (packed.format() == Format::b1) in = {0, 2, kernels::kB1PairFloats, context.kernels.tables_b1};
  const ColumnLayout& layout = packed.layout();
  for (int64_t s = 0; s < layout.segments(); ++s) {
    in.floats += in.units(layout.steps(s)) * in.unit_floats;
  }
  return in;
}

/// Asks for the first lines of a range of tiles, bit by bit, while tables are made: memory would be
/// idle else for 3 to 8 microseconds at 2,560 columns, as the tables come out of L3.
class FirstLines {
 public:
  FirstLines(const Packed& packed, base::Range tiles)
      : lines_(packed.lines() + tiles.begin * packed.tile_stride()),
        stride_((tiles.end - tiles.begin) / kernels::kFloatStreams * packed.tile_stride()) {}

  /// The next line of each stream.
  void prefetch() {
    if (at_ >= std::min(stride_, kMostOfAStream)) return;
    for (int64_t s = 0; s < kernels::kFloatStreams; ++s) {
      __builtin_prefetch(lines_ + s * stride_ + at_, 0, 2);
    }
    at_ += matrix::kLineBytes;
  }

 private:
  static constexpr int64_t kMostOfAStream = 16384;  // 128 KB in all, of an L2 of 1 to 2 MB
  const uint8_t* lines_;
  int64_t stride_;  // from one stream to the next
  int64_t at_ = 0;
};

/// What a kernel reads of one token, at `out`.
void make_inputs(const FloatInputs& in, const Packed& packed, const float* x, FirstLines& first,
                 float* out) {
  const ColumnLayout& layout = packed.layout();
  if (in.tables == nullptr) return layout.spread(x, out);
  // Making 768 bytes of tables takes about as long as reading a line of each stream.
  const int64_t reads = in.unit_floats / kernels::kT3LineFloats;
  for (int64_t s = 0; s < layout.segments(); ++s) {
    const base::Range columns = layout.columns(s);
    const int64_t units = in.units(layout.steps(s));
    for (int64_t unit = 0; unit < units; ++unit) {
      in.tables->function({x + columns.begin, columns.end - columns.begin,
                           packed.alphabet() == matrix::Alphabet::signs, out},
                          unit, unit + 1);
      for (int64_t i = 0; i < reads; ++i) first.prefetch();
    }
    out += units * in.unit_floats;
  }
}

/// Calls multiply(tiles, params) on each thread with its part of the tiles. Each thread has inputs
/// of its own: to make them takes 2 or 3% of a product, to read them out of another core's cache
/// more (two threads, 640 x 2560: 31 microseconds, as long as one thread).
template <class Multiply>
void run(Context::Impl& context, const PackedProduct& product, const float* x, int64_t batch,
         const Multiply& multiply) {
  const Packed& packed = *product.packed;
  const FloatInputs in = float_inputs(context, packed);
  const int64_t room = batch * in.floats;
  context.x_f32.reserve_discard(static_cast<size_t>(context.pool.threads() * room));
  MatvecF32 shared;
  shared.w = matrix_of(product);
  shared.x_stride = in.floats;
  shared.batch = batch;
  shared.prefetch = context.kernels.tuning.of(packed.format()).prefetch;
  shared.out = output_of(product, nullptr);
  const auto part = [&](base::Range tiles) {
    MatvecF32 own = shared;
    float* inputs = context.x_f32.data() + base::pool_thread() * room;
    FirstLines first(packed, tiles);
    for (int64_t t = 0; t < batch; ++t) {
      make_inputs(in, packed, x + t * packed.cols(), first, inputs + t * in.floats);
    }
    own.x = inputs;
    multiply(tiles, own);
  };
  const int64_t work = kernels::kMatvecTileRows * packed.cols() * batch;
  context.pool.parallel_for(packed.tiles(), std::cref(part), kWorthAThread / work + 1);
}

/// All vectors at once, by look-up: each thread makes tables for its part of the rows.
void look_up(Context::Impl& context, const kernels::GemmTablesF32Kernel& kernel,
             const PackedProduct& product, const float* x, int64_t batch) {
  const Packed& packed = *product.packed;
  context.kernel_scratch.reserve_discard(
      static_cast<size_t>(context.pool.threads() * kernels::kGemmTablesScratch));
  kernels::GemmTablesF32 shared;
  shared.w = matrix_of(product);
  shared.x = x;
  shared.x_stride = shared.cols = packed.cols();
  shared.signs = packed.alphabet() == matrix::Alphabet::signs;
  shared.batch = batch;
  shared.out = output_of(product, nullptr);
  const auto part = [&](base::Range tiles) {
    kernels::GemmTablesF32 own = shared;
    own.scratch = context.kernel_scratch.data() + base::pool_thread() * kernels::kGemmTablesScratch;
    kernel.function(own, tiles.begin, tiles.end);
  };
  const int64_t work = kernels::kMatvecTileRows * packed.cols() * batch;
  context.pool.parallel_for(packed.tiles(), std::cref(part), kWorthAThread / work + 1);
}

/// True when no sum of an index's float runs can overflow: they have at most 2^13 terms. A running
/// sum contains columns that a row does not have, and would carry its infinity to that row.
bool is_moderate(const float* x, int64_t count) {
  constexpr uint32_t kLimit = (127 + 100) << 23;  // the bits of 2^100
  uint32_t largest = 0;
  for (int64_t i = 0; i < count; ++i) {
    largest = std::max(largest, std::bit_cast<uint32_t>(x[i]) & 0x7FFFFFFF);
  }
  return largest <= kLimit;
}

/// All vectors at once, by the weight's index for batches.
void add_equal_columns_once(Context::Impl& context, const PackedProduct& product, const float* x,
                            int64_t batch) {
  const Packed& packed = *product.packed;
  const kernels::GrayGroups groups = product.index->groups();
  const int64_t scratch_bytes = kernels::gray_scratch_bytes(groups);
  context.kernel_scratch.reserve_discard(
      static_cast<size_t>(context.pool.threads() * scratch_bytes));
  kernels::GemmGrayF32 shared;
  shared.gray = &groups;
  shared.x = x;
  shared.x_stride = packed.cols();
  shared.signs = packed.alphabet() == matrix::Alphabet::signs;
  shared.batch = batch;
  shared.out = output_of(product, nullptr);
  const auto part = [&](base::Range tiles) {
    kernels::GemmGrayF32 own = shared;
    own.scratch = context.kernel_scratch.data() + base::pool_thread() * scratch_bytes;
    context.kernels.gemm_gray_f32->function(own, tiles.begin, tiles.end);
  };
  const int64_t work = kernels::kMatvecTileRows * packed.cols() * batch;
  context.pool.parallel_for(packed.tiles(), std::cref(part), kWorthAThread / work + 1);
}

}  // namespace

void multiply_packed(Context::Impl& context, const PackedProduct& product, const float* x,
                     int64_t batch) {
  if (by_index(context, {&product, 1}, batch, true) &&
      is_moderate(x, batch * product.packed->cols())) {
    return add_equal_columns_once(context, product, x, batch);
  }
  const Packed& packed = *product.packed;
  const BatchShape shape{batch, rows_of_call(packed.rows(), 1, context.pool.threads()),
                         packed.layout().segments() > 1};
  if (const auto* tables = context.kernels.look_ups_f32(packed.format(), shape)) {
    return look_up(context, *tables, product, x, batch);
  }
  const auto* kernel = context.kernels.matvec_f32[static_cast<size_t>(packed.format())];
  if (kernel == nullptr) {
    return with_t2(product,
                   [&](const PackedProduct& other) { multiply_packed(context, other, x, batch); });
  }
  PackedProduct some = product;
  for (int64_t token = 0; token < batch; token += kFloatTokens) {
    some.y = product.y + token * packed.rows();
    run(context, some, x + token * packed.cols(), std::min(kFloatTokens, batch - token),
        [&](base::Range tiles, const MatvecF32& p) {
          kernel->function(p, tiles.begin, tiles.end);
        });
  }
}

void for_each_score(Context::Impl& context, const PackedProduct& product, const float* x,
                    const ReceiveScores& receive) {
  const auto* kernel = context.kernels.matvec_f32[static_cast<size_t>(product.packed->format())];
  if (kernel == nullptr) {
    return with_t2(product,
                   [&](const PackedProduct& other) { for_each_score(context, other, x, receive); });
  }
  run(context, product, x, 1,
      [&](base::Range tiles, const MatvecF32& p) { scan(p, tiles, kernel->function, receive); });
}

}  // namespace rsr::linear
