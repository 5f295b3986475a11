// The integer or float product of a packed matrix with a padded batch, split over threads. Scales
// are the business of whoever receives the sums.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <type_traits>
#include <vector>

#include "kernels/matvec/list.h"
#include "linear/context.h"
#include "linear/rsr_weight.h"
#include "linear/t2_weight.h"

namespace rsr::linear {

/// Inputs in the padded layout of a packed matrix. `sums` is needed for int8: the sum of each
/// segment's values, [segments][batch].
template <class X>
struct Batch {
  const X* x = nullptr;  // [batch][stride]
  int64_t stride = 0;
  int64_t batch = 0;
  const int32_t* sums = nullptr;
};

template <class X>
using SumOf = std::conditional_t<std::is_same_v<X, int8_t>, int32_t, float>;

/// What a thread is to compute: `units` are row tiles (t2) or blocks (groups).
struct Task {
  base::Isa isa;
  int64_t segment = 0;
  base::Range units;
  int64_t token = 0;   // first token
  int64_t tokens = 0;  // number of tokens
};

inline int64_t unit_rows(const T2Weight&) {
  return kernels::kT2Rows;
}
inline int64_t unit_rows(const RsrWeight& weight) {
  return weight.groups().k;
}
inline int64_t unit_count(const T2Weight& weight) {
  return weight.tiles();
}
inline int64_t unit_count(const RsrWeight& weight) {
  return weight.groups().block_count();
}

/// y[tokens][padded_rows] = sums of one segment for the task's units and tokens.
void compute(const T2Weight& weight, const Batch<int8_t>& x, const Task& task, int32_t* y);
void compute(const T2Weight& weight, const Batch<float>& x, const Task& task, float* y);
void compute(const RsrWeight& weight, const Batch<int8_t>& x, const Task& task, int32_t* y);
void compute(const RsrWeight& weight, const Batch<float>& x, const Task& task, float* y);

// Tokens whose sums are held at once: enough to reuse each tile of weights from L1 many times, and
// with 14,336 rows still only 3.5 MiB of sums.
inline constexpr int64_t kTokensAtOnce = 64;

// Multiply-adds below which a thread is not worth starting: about 2 microseconds of work at the
// speed of AVX-512, against 1 or 2 for the start.
inline constexpr int64_t kWorthAThread = int64_t{256} * 1024;

/// Calls receive(segment, token, rows, sums) for every token and segment, segments in order, with
/// sums[r] for each r in `rows`; from several threads at once, on disjoint rows.
template <class X, class Packed, class Receive>
void for_each_sum(Context::Impl& context, const Packed& packed, int64_t rows, const Batch<X>& x,
                  base::AlignedArray<SumOf<X>>& scratch, const Receive& receive) {
  const int64_t stride = packed.padded_rows();
  scratch.reserve_discard(std::min(x.batch, kTokensAtOnce) * stride);
  for (int64_t token = 0; token < x.batch; token += kTokensAtOnce) {
    const int64_t tokens = std::min(kTokensAtOnce, x.batch - token);
    const auto part = [&](base::Range units) {
      const base::Range own{units.begin * unit_rows(packed),
                            std::min(rows, units.end * unit_rows(packed))};
      for (int64_t s = 0; s < packed.layout().segments(); ++s) {
        compute(packed, x, Task{context.isa, s, units, token, tokens}, scratch.data());
        for (int64_t t = 0; t < tokens; ++t) {
          receive(s, token + t, own, scratch.data() + t * stride);
        }
      }
    };
    const int64_t work = unit_rows(packed) * packed.layout().cols() * tokens;
    context.pool.parallel_for(unit_count(packed), std::cref(part), kWorthAThread / work + 1);
  }
}

}  // namespace rsr::linear
