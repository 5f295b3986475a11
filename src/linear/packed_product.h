// Products of packed matrices with a batch, split over threads: several matrices in one pass.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <span>

#include "linear/context.h"
#include "linear/weight.h"

namespace rsr::linear {

// Multiply-adds below which a thread is not worth starting: about 2 microseconds of work at the
// speed of AVX-512, against 1 or 2 for the start.
inline constexpr int64_t kWorthAThread = int64_t{256} * 1024;

/// int8 inputs as they come: rows of x, [batch][stride]; `sums` of each row, or null: not known.
/// `readable` columns of a row may be read; those from `cols` on are zero.
struct RowsI8 {
  const int8_t* x = nullptr;
  int64_t stride = 0;
  int64_t cols = 0;
  int64_t readable = 0;
  int64_t batch = 0;
  const int32_t* sums = nullptr;
};

/// One matrix of a pass, and where its results go: sums, or floats with the weight's scales.
struct PackedProduct {
  const matrix::Packed* packed = nullptr;
  const Scales* scales = nullptr;
  int32_t* sums = nullptr;  // [batch, rows]; or
  float* y = nullptr;       // [batch, rows]
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

}  // namespace rsr::linear
