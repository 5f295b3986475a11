// Products of packed matrices with a batch, split over threads: several matrices in one pass.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <span>

#include "kernels/matvec/matvec.h"
#include "linear/context.h"
#include "linear/int8_inputs.h"
#include "linear/weight.h"

namespace rsr::linear {

// Multiply-adds below which a thread is not worth starting: about 2 microseconds of work at the
// speed of AVX-512, against 1 or 2 for the start.
inline constexpr int64_t kWorthAThread = int64_t{256} * 1024;

/// One matrix of a pass, and where its results go: sums, or floats with the weight's scales.
struct PackedProduct {
  const matrix::Packed* packed = nullptr;
  const Scales* scales = nullptr;
  int32_t* sums = nullptr;  // [batch, rows]; or
  float* y = nullptr;       // [batch, rows]
  const Weight::BatchIndex* index = nullptr;
};

// Matrices of one pass at most; more are several passes. q, k and v are three.
inline constexpr size_t kProductsAtOnce = 8;

/// All products of the same int8 inputs. `token_scales` [batch] or null.
void multiply_packed(Context::Impl& context, std::span<const PackedProduct> products,
                     const RowsI8& x, const float* token_scales);

/// The product of float inputs x[batch, cols].
void multiply_packed(Context::Impl& context, const PackedProduct& product, const float* x,
                     int64_t batch);

/// Calls receive(rows, scores) with scale * (W x) of some consecutive rows at a time, from several
/// threads at once: for a search that keeps few of them. `x` is one vector.
using ReceiveScores = std::function<void(base::Range rows, const float* scores)>;
void for_each_score(Context::Impl& context, const PackedProduct& product, const RowsI8& x,
                    const ReceiveScores& receive);
void for_each_score(Context::Impl& context, const PackedProduct& product, const float* x,
                    const ReceiveScores& receive);

/// True when a pass over these matrices uses their indexes for batches of int8 or `floats`: all
/// have one for these that this context reads, and gain by it.
bool by_index(const Context::Impl& context, std::span<const PackedProduct> products, int64_t batch,
              bool floats);

// What the files of this header share.

/// What kernels know of a product's matrix and of its results.
kernels::PackedMatrix matrix_of(const PackedProduct& product);
kernels::Output output_of(const PackedProduct& product, const float* token_scales);

/// Calls multiply(product) with the product's matrix repacked to t2, which has kernels for all
/// inputs; once per product: such a weight was prepared for the other kind.
template <class Multiply>
void with_t2(const PackedProduct& product, const Multiply& multiply) {
  const matrix::Packed repacked = product.packed->repacked(matrix::Format::t2);
  PackedProduct other = product;
  other.packed = &repacked;
  multiply(other);
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

/// Runs a product of one vector over some tiles, a few rows at a time, their scores in L1.
template <class Params, class Function>
void scan(const Params& params, base::Range range, Function* function,
          const ReceiveScores& receive) {
  constexpr int64_t kTiles = 128;  // 2,048 scores: 8 KiB
  alignas(64) float scores[kTiles * kernels::kMatvecTileRows];
  for (int64_t tile = range.begin; tile < range.end; tile += kTiles) {
    const int64_t tiles = std::min(range.end - tile, kTiles);
    function(from_tile(params, tile, scores), 0, tiles);
    const int64_t first = tile * kernels::kMatvecTileRows;
    receive({first, std::min(params.out.rows, first + tiles * kernels::kMatvecTileRows)}, scores);
  }
}

}  // namespace rsr::linear
