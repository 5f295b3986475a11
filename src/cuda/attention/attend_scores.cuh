// Scores of a chunk and their weights. A thread has two neighbouring positions and up to eight
// queries, all dims in order: per dim a load of keys, two widenings, two loads of queries and 16
// fma.
#pragma once

#include "cuda/attention/attend_block.cuh"

namespace rsr::cuda::RSR_SIMT {
namespace {

/// scores += `count` dims.
template <int count, class T, int queries>
RSR_DEVICE void add_dims(const AttendBlock<T, queries>& /*block*/, const T* key, const float* query,
                         typename AttendShape<T, queries>::Scores& scores) {
  using Shape = AttendShape<T, queries>;
  float of_query[count][Shape::kPart];
  load_rows<count, Shape::kPart, Shape::kPitch>(query, of_query);
  RSR_UNROLL
  for (int d = 0; d < count; ++d) {
    float pair[2];
    element_pair(key + d * kLanes, pair);
    RSR_UNROLL
    for (int q = 0; q < Shape::kPart; ++q) {
      scores[0][q] = simt::fma(of_query[d][q], pair[0], scores[0][q]);
      scores[1][q] = simt::fma(of_query[d][q], pair[1], scores[1][q]);
    }
  }
}

template <class T, int queries>
RSR_DEVICE void score(AttendBlock<T, queries>& b, int positions,
                      typename AttendShape<T, queries>::Scores& scores) {
  using Slice = SliceShape<T, queries>;
  constexpr int kPitch = AttendShape<T, queries>::kPitch;
  for (int first = 0; first < b.p.kv.dim; first += Slice::kDims) {
    const T* keys = b.slices.next();
    if (!b.scores_here() || b.position() >= positions) continue;
    const T* key = keys + b.position() / kLanes * Slice::kBlock + b.position() % kLanes;
    const float* query = b.query + first * kPitch + b.score_query();
    const int dims = smaller(Slice::kDims, b.p.kv.dim - first);
    int d = 0;
    for (; d + 4 <= dims; d += 4) add_dims<4>(b, key + d * kLanes, query + d * kPitch, scores);
    for (; d < dims; ++d) add_dims<1>(b, key + d * kLanes, query + d * kPitch, scores);
  }
}

/// Scales of this thread's two positions, i8 only; asked for long before they are needed.
template <class T, int queries>
RSR_DEVICE void load_scales(const AttendBlock<T, queries>& b, int64_t at, int chunk, int positions,
                            float (&scales)[2]) {
  if (!AttendShape<T, queries>::kScaled || !b.scores_here()) return;
  const uint8_t* of_head = b.p.kv.data + b.head * b.p.kv.head_bytes + at;
  const float* of_chunk = reinterpret_cast<const float*>(of_head) + chunk * kPositions;
  RSR_UNROLL
  for (int i = 0; i < 2; ++i) {
    if (b.position() + i < positions) scales[i] = of_chunk[b.position() + i];
  }
}

/// The largest score of each query and warp; positions that a query does not see have none.
template <class T, int queries>
RSR_DEVICE void find_tops(AttendBlock<T, queries>& b, int chunk, const float (&scales)[2],
                          typename AttendShape<T, queries>::Scores& scores) {
  using Shape = AttendShape<T, queries>;
  if (!b.scores_here()) return;
  RSR_UNROLL
  for (int q = 0; q < Shape::kPart; ++q) {
    const int query = b.score_query() + q;
    const int visible = b.s.seen[query] - chunk * kPositions;
    RSR_UNROLL
    for (int i = 0; i < 2; ++i) {
      if constexpr (Shape::kScaled) scores[i][q] = scores[i][q] * scales[i];
      if (b.position() + i >= visible) scores[i][q] = minus_infinity();
    }
    const float top = scores[0][q] > scores[1][q] ? scores[0][q] : scores[1][q];
    const uint32_t of_warp = simt::warp_max(ordered(top));
    if (simt::lane() == 0) b.s.tops[query][b.position() / 2 / simt::kWarp] = of_warp;
  }
}

template <class T, int queries>
RSR_DEVICE float top_of(const AttendBlock<T, queries>& b, int query) {
  uint32_t top = 0;
  RSR_UNROLL
  for (int i = 0; i < AttendShape<T, queries>::kScoreWarps; ++i) {
    top = b.s.tops[query][i] > top ? b.s.tops[query][i] : top;
  }
  return from_ordered(top);
}

template <class T, int queries>
RSR_DEVICE void weigh(AttendBlock<T, queries>& b, const float (&value_scales)[2],
                      typename AttendShape<T, queries>::Scores& scores) {
  using Shape = AttendShape<T, queries>;
  if (!b.scores_here()) return;
  RSR_UNROLL
  for (int q = 0; q < Shape::kPart; ++q) {
    const float top = top_of(b, b.score_query() + q);
    RSR_UNROLL
    for (int i = 0; i < 2; ++i) scores[i][q] = exp_of_score(scores[i][q] - top);
  }
  RSR_UNROLL
  for (int i = 0; i < 2; ++i) {
    const int position = b.position() + i;
    if constexpr (Shape::kScaled) {
      store_floats(scores[i], &b.s.unscaled[position][b.score_query()]);
      RSR_UNROLL
      for (int q = 0; q < Shape::kPart; ++q) scores[i][q] = scores[i][q] * value_scales[i];
    }
    store_floats(scores[i], &b.s.weights[position][b.score_query()]);
  }
}

}  // namespace
}  // namespace rsr::cuda::RSR_SIMT
