// The operation over `Lanes`, sixteen floats at a time (floats512.h, floats256.h, reference.cc):
// the same steps in the same order on every instruction set, so that the bits agree.
#pragma once

#include <cstdint>

#include "kernels/attention/attention.h"
#include "kernels/repeat.h"

namespace rsr::kernels {
namespace {

using F = Lanes::F;

constexpr float kMinusInfinity = -__builtin_inff();
constexpr int kQueries = 4;  // that share what is loaded of keys and values

/// Lanes added as a tree: l and l + 8, then 4, 2, 1.
inline float tree_sum(F v) {
  alignas(64) float lanes[kKvLanes];
  Lanes::store(lanes, v);
  for (int width = kKvLanes / 2; width > 0; width /= 2) {
    for (int i = 0; i < width; ++i) lanes[i] += lanes[i + width];
  }
  return lanes[0];
}
inline float largest(F v) {
  alignas(64) float lanes[kKvLanes];
  Lanes::store(lanes, v);
  float most = lanes[0];
  for (const float lane : lanes) most = lane > most ? lane : most;
  return most;
}

/// exp(x) for x <= 0, within 2 units in the last place; 0 below -87. x = n ln 2 + r, |r| <= ln 2 /
/// 2 (n by adding 1.5 * 2^23, which leaves it in the low bits); a polynomial of degree 6 for
/// exp(r).
inline F exp(F x) {
  const F magic = Lanes::all(12582912.0f);
  const F clamped = Lanes::max(Lanes::all(-88.0f), x);  // in this order a NaN stays one
  const F shifted = Lanes::fma(clamped, Lanes::all(1.44269504088896341f), magic);
  const F n = Lanes::sub(shifted, magic);
  const F high = Lanes::fma(n, Lanes::all(-0.693145751953125f), clamped);
  const F r = Lanes::fma(n, Lanes::all(-1.42860682030941723e-6f), high);
  F p = Lanes::all(1.0f / 720);
  p = Lanes::fma(p, r, Lanes::all(1.0f / 120));
  p = Lanes::fma(p, r, Lanes::all(1.0f / 24));
  p = Lanes::fma(p, r, Lanes::all(1.0f / 6));
  p = Lanes::fma(p, r, Lanes::all(0.5f));
  p = Lanes::fma(p, r, Lanes::all(1.0f));
  p = Lanes::fma(p, r, Lanes::all(1.0f));
  return Lanes::above(x, Lanes::all(-87.0f), Lanes::scale2(p, shifted));
}
inline float exp_of(float x) {
  alignas(64) float lanes[kKvLanes];
  Lanes::store(lanes, exp(Lanes::all(x)));
  return lanes[0];
}

/// into = merged(into, from); see attention.h.
inline void merge_state(const float* from, float* into, int64_t stride) {
  const float top = from[0] > into[0] ? from[0] : into[0];
  const float keep = exp_of(into[0] - top);
  const float take = exp_of(from[0] - top);
  into[0] = top;
  into[1] = __builtin_fmaf(from[1], take, into[1] * keep);
  for (int64_t d = kStateHead; d < stride; d += kKvLanes) {
    const F kept = Lanes::mul(Lanes::load(into + d), Lanes::all(keep));
    Lanes::store(into + d, Lanes::fma(Lanes::load(from + d), Lanes::all(take), kept));
  }
}

/// Scores of `queries` queries and `blocks` blocks of 16 positions, from block `first` on.
template <class T, int queries, int blocks>
inline void score_blocks(const Attend& p, int64_t query, int64_t first, float (*scores)[kChunk]) {
  const T* keys = static_cast<const T*>(p.kv.keys) + first * p.kv.dim * kKvLanes;
  const float* q = p.queries + query * p.query_stride;
  F sums[queries * blocks];
  repeat<queries * blocks>([&](auto i) RSR_INLINE { sums[i] = Lanes::zero(); });
  for (int64_t d = 0; d < p.kv.dim; ++d) {
    F key[blocks];
    repeat<blocks>([&](auto b)
                       RSR_INLINE { key[b] = Lanes::load(keys + (b * p.kv.dim + d) * kKvLanes); });
    repeat<queries>([&](auto i) RSR_INLINE {
      const F of_query = Lanes::all(q[i * p.query_stride + d]);
      repeat<blocks>([&](auto b) RSR_INLINE {
        sums[i * blocks + b] = Lanes::fma(of_query, key[b], sums[i * blocks + b]);
      });
    });
  }
  repeat<queries>([&](auto i) RSR_INLINE {
    repeat<blocks>([&](auto b) RSR_INLINE {
      F score = sums[i * blocks + b];
      const int64_t at = (first + b) * kKvLanes;
      if (p.kv.key_scales != nullptr) score = Lanes::mul(score, Lanes::load(p.kv.key_scales + at));
      Lanes::store(scores[i] + at, score);
    });
  });
}

/// Scores become weights; top and total of the chunk go to `state`.
inline void weigh(const KvChunk& kv, float* scores, float* state) {
  const int64_t padded = (kv.positions + kKvLanes - 1) / kKvLanes * kKvLanes;
  for (int64_t i = kv.positions; i < padded; ++i) scores[i] = kMinusInfinity;
  F top = Lanes::load(scores);
  for (int64_t i = kKvLanes; i < padded; i += kKvLanes)
    top = Lanes::max(top, Lanes::load(scores + i));
  state[0] = largest(top);
  const F offset = Lanes::all(state[0]);
  F total = Lanes::zero();
  for (int64_t i = 0; i < padded; i += kKvLanes) {
    F weight = exp(Lanes::sub(Lanes::load(scores + i), offset));
    total = Lanes::add(total, weight);
    if (kv.value_scales != nullptr) weight = Lanes::mul(weight, Lanes::load(kv.value_scales + i));
    Lanes::store(scores + i, weight);
  }
  state[1] = tree_sum(total);
}

/// sums[vector ...] of `queries` queries for `vectors` vectors of the values.
template <class T, int queries, int vectors>
inline void sum_values(const KvChunk& kv, int64_t first, const float (*weights)[kChunk],
                       float* states, int64_t stride) {
  const T* values = static_cast<const T*>(kv.values) + first * kKvLanes;
  F sums[queries * vectors];
  repeat<queries * vectors>([&](auto i) RSR_INLINE { sums[i] = Lanes::zero(); });
  for (int64_t j = 0; j < kv.positions; ++j, values += kv.value_stride) {
    F value[vectors];
    repeat<vectors>([&](auto v) RSR_INLINE { value[v] = Lanes::load(values + v * kKvLanes); });
    repeat<queries>([&](auto i) RSR_INLINE {
      const F weight = Lanes::all(weights[i][j]);
      repeat<vectors>([&](auto v) RSR_INLINE {
        sums[i * vectors + v] = Lanes::fma(weight, value[v], sums[i * vectors + v]);
      });
    });
  }
  repeat<queries>([&](auto i) RSR_INLINE {
    repeat<vectors>([&](auto v) RSR_INLINE {
      Lanes::store(states + i * stride + kStateHead + (first + v) * kKvLanes,
                   sums[i * vectors + v]);
    });
  });
}

/// At most `n` things at once: as many accumulators as there are registers for.
constexpr int at_once(int queries, int most) {
  return Lanes::kSums / queries < 1      ? 1
         : Lanes::kSums / queries < most ? Lanes::kSums / queries
                                         : most;
}

template <class T, int queries>
void attend_some(const Attend& p, int64_t query, float* states) {
  constexpr int kBlocks = at_once(queries, 4);
  constexpr int kVectors = at_once(queries, 8);
  alignas(64) float scores[queries][kChunk];
  const int64_t blocks = (p.kv.positions + kKvLanes - 1) / kKvLanes;
  int64_t block = 0;
  for (; block + kBlocks <= blocks; block += kBlocks) {
    score_blocks<T, queries, kBlocks>(p, query, block, scores);
  }
  for (; block < blocks; ++block) score_blocks<T, queries, 1>(p, query, block, scores);
  const int64_t stride = p.state_stride();
  for (int i = 0; i < queries; ++i) weigh(p.kv, scores[i], states + i * stride);
  const int64_t vectors = p.kv.value_stride / kKvLanes;
  int64_t vector = 0;
  for (; vector + kVectors <= vectors; vector += kVectors) {
    sum_values<T, queries, kVectors>(p.kv, vector, scores, states, stride);
  }
  for (; vector < vectors; ++vector) {
    sum_values<T, queries, 1>(p.kv, vector, scores, states, stride);
  }
}

constexpr int64_t kMostValues = kMostHeadDim;

template <class T>
void attend_all(const Attend& p) {
  alignas(64) float states[kQueries * (kStateHead + kMostValues)];
  const int64_t stride = p.state_stride();
  for (int64_t query = 0; query < p.count;) {
    const int64_t left = p.count - query;
    const int64_t some = left >= kQueries ? kQueries : left >= 2 ? 2 : 1;
    if (some == kQueries) {
      attend_some<T, kQueries>(p, query, states);
    } else if (some == 2) {
      attend_some<T, 2>(p, query, states);
    } else {
      attend_some<T, 1>(p, query, states);
    }
    for (int64_t i = 0; i < some; ++i) {
      merge_state(states + i * stride, p.states + (query + i) * stride, stride);
    }
    query += some;
  }
}

inline void merge_all(const MergeStates& p) {
  for (int64_t i = 0; i < p.count; ++i) {
    merge_state(p.from + i * p.stride, p.into + i * p.stride, p.stride);
  }
}

}  // namespace
}  // namespace rsr::kernels
