// The integer or float product of RSR's index with a batch, split over threads. Scales are
// the business of whoever receives the sums.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <type_traits>
#include <vector>

#include "kernels/matvec/list.h"
#include "linear/context.h"
#include "linear/packed_product.h"
#include "linear/rsr_weight.h"

namespace rsr::linear {

/// Inputs of a product. `sums` is needed for int8: the sum of each segment's values,
/// [segments][batch].
template <class X>
struct Batch {
  const X* x = nullptr;  // [batch][stride]
  int64_t stride = 0;
  int64_t batch = 0;
  const int32_t* sums = nullptr;
};

template <class X>
using SumOf = std::conditional_t<std::is_same_v<X, int8_t>, int32_t, float>;

/// What a thread is to compute: blocks of k rows of a segment, for some tokens.
struct Task {
  const KernelSet& kernels;
  int64_t segment = 0;
  base::Range blocks;
  int64_t token = 0;   // first token
  int64_t tokens = 0;  // number of tokens
};

/// y[tokens][rows] = sums of one segment for the task's blocks and tokens.
void compute(const RsrWeight& weight, const Batch<int8_t>& x, const Task& task, int32_t* y);
void compute(const RsrWeight& weight, const Batch<float>& x, const Task& task, float* y);

// Tokens whose sums are held at once: enough to reuse each tile of weights from L1 many times, and
// with 14,336 rows still only 3.5 MiB of sums.
inline constexpr int64_t kTokensAtOnce = 64;

/// Calls receive(segment, token, rows, sums) for every token and segment, segments in order, with
/// sums[r] for each r in `rows`; from several threads at once, on disjoint rows.
template <class X, class Receive>
void for_each_sum(Context::Impl& context, const RsrWeight& weight, const Batch<X>& x,
                  base::AlignedArray<SumOf<X>>& scratch, const Receive& receive) {
  const int64_t rows = weight.rows();
  const int64_t k = weight.k();
  scratch.reserve_discard(static_cast<size_t>(std::min(x.batch, kTokensAtOnce) * rows));
  for (int64_t token = 0; token < x.batch; token += kTokensAtOnce) {
    const int64_t tokens = std::min(kTokensAtOnce, x.batch - token);
    const auto part = [&](base::Range blocks) {
      const base::Range own{blocks.begin * k, std::min(rows, blocks.end * k)};
      for (int64_t s = 0; s < weight.layout().segments(); ++s) {
        compute(weight, x, Task{context.kernels, s, blocks, token, tokens}, scratch.data());
        for (int64_t t = 0; t < tokens; ++t) receive(s, token + t, own, scratch.data() + t * rows);
      }
    };
    const int64_t work = k * weight.layout().cols() * tokens;
    context.pool.parallel_for(weight.block_count(), std::cref(part), kWorthAThread / work + 1);
  }
}

}  // namespace rsr::linear
