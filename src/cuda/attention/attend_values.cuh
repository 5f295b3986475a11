// Sums of a chunk's values by their weights, and its merging into what came before. A thread has
// one or two columns and up to eight queries, all positions in order: per position a load of
// values, two widenings, two loads of weights and 16 fma.
#pragma once

#include "cuda/attention/attend_scores.cuh"

namespace rsr::cuda::RSR_SIMT {
namespace {

/// Totals of weights by 16 lanes, position % 16, and what the chunk's merging needs.
template <class T, int queries>
RSR_DEVICE void add_weights(AttendBlock<T, queries>& b, int chunk) {
  using Shape = AttendShape<T, queries>;
  constexpr int kAtOnce = Shape::kTotalThreads / kLanes;  // queries
  const int thread = simt::thread() - (simt::threads() - Shape::kTotalThreads);
  if (thread < 0) return;
  for (int done = 0; done < queries; done += kAtOnce) {
    const int query = done + thread / kLanes;
    const int column = smaller(query, queries - 1);  // lanes without a query stay with their warp
    float sum = 0.0f;
    RSR_UNROLL
    for (int step = 0; step < kPositions; step += kLanes) {
      const int position = step + thread % kLanes;
      if constexpr (Shape::kScaled) {
        sum = sum + b.s.unscaled[position][column];
      } else {
        sum = sum + b.s.weights[position][column];
      }
    }
    RSR_UNROLL
    for (int half = kLanes / 2; half > 0; half /= 2) sum = sum + simt::shuffle_xor(sum, half);
    if (thread % kLanes != 0 || query >= queries || !b.sees(query, chunk)) continue;
    const Merge m = merge_of_tops(b.s.top[query], top_of(b, query));
    b.s.total[query] = merged(b.s.total[query], sum, m.keep, m.take);
    b.s.top[query] = m.top;
    b.s.keep[query] = m.keep;
    b.s.take[query] = m.take;
  }
}

/// sums += `count` positions from `position` of the chunk on; `checked`: for queries that see them.
template <int count, bool checked, class T, int queries>
RSR_DEVICE void add_rows(const AttendBlock<T, queries>& b, const T* value, int chunk, int position,
                         typename AttendShape<T, queries>::Sums& sums) {
  using Shape = AttendShape<T, queries>;
  const int query = b.column_query();
  float weights[count][Shape::kPart];
  load_rows<count, Shape::kPart, Shape::kPitch>(&b.s.weights[position][query], weights);
  RSR_UNROLL
  for (int j = 0; j < count; ++j, value += b.p.kv.value_stride) {
    float of_row[Shape::kColumns];
    if constexpr (Shape::kColumns == 2) {
      element_pair(value, of_row);
    } else {
      of_row[0] = element(value);
    }
    RSR_UNROLL
    for (int q = 0; q < Shape::kPart; ++q) {
      if (checked && b.s.seen[query + q] <= chunk * kPositions + position + j) continue;
      RSR_UNROLL
      for (int i = 0; i < Shape::kColumns; ++i) {
        sums[i][q] = simt::fma(weights[j][q], of_row[i], sums[i][q]);
      }
    }
  }
}

template <class T, int queries>
RSR_DEVICE void add_values(AttendBlock<T, queries>& b, int chunk, int positions,
                           typename AttendShape<T, queries>::Sums& sums) {
  const int stride = b.p.kv.value_stride;
  for (int first = 0; first < positions; first += b.slices.rows()) {
    const T* value = b.slices.next() + b.column();
    if (first == 0) add_weights(b, chunk);
    if (!b.has_columns()) continue;
    const int end = smaller(b.slices.rows(), positions - first);
    // What the first query sees all see; a position that one does not see may hold a NaN.
    const int of_all = smaller(end, b.s.seen[0] - chunk * kPositions - first);
    int j = 0;
    for (; j + 4 <= of_all; j += 4, value += 4 * stride) {
      add_rows<4, false>(b, value, chunk, first + j, sums);
    }
    for (; j < end; ++j, value += stride) add_rows<1, true>(b, value, chunk, first + j, sums);
  }
}

template <class T, int queries>
RSR_DEVICE void merge_chunk(const AttendBlock<T, queries>& b, int chunk,
                            const typename AttendShape<T, queries>::Sums& of_chunk,
                            typename AttendShape<T, queries>::Sums& sums) {
  using Shape = AttendShape<T, queries>;
  if (!b.has_columns()) return;
  RSR_UNROLL
  for (int q = 0; q < Shape::kPart; ++q) {
    const int query = b.column_query() + q;
    if (!b.sees(query, chunk)) continue;
    const float keep = b.s.keep[query];
    const float take = b.s.take[query];
    RSR_UNROLL
    for (int i = 0; i < Shape::kColumns; ++i) {
      sums[i][q] = merged(sums[i][q], of_chunk[i][q], keep, take);
    }
  }
}

/// One column of one query: of the result, or of the state of the block's only chunk.
template <class T, int queries>
RSR_DEVICE void write_column(const AttendBlock<T, queries>& b, int query, int column, float sum) {
  const int64_t row = b.row_of(b.first + query);
  if (b.whole) {
    if (column < b.p.kv.dim) {
      b.p.out[row * b.p.kv.dim + column] = simt::divide(sum, b.s.total[query]);
    }
    return;
  }
  const int stride = kernels::kStateHead + b.p.kv.value_stride;
  float* state = b.p.states + (row * b.p.chunks + b.span.chunk) * stride;
  state[kernels::kStateHead + column] = sum;
  if (column > b.first_column) return;  // blocks of other columns write the same
  state[0] = b.s.top[query];
  state[1] = b.s.total[query];
}

template <class T, int queries>
RSR_DEVICE void write_sums(const AttendBlock<T, queries>& b,
                           const typename AttendShape<T, queries>::Sums& sums) {
  using Shape = AttendShape<T, queries>;
  if (!b.has_columns()) return;
  RSR_UNROLL
  for (int q = 0; q < Shape::kPart; ++q) {
    const int query = b.column_query() + q;
    if (!b.sees(query, b.span.chunk)) continue;
    RSR_UNROLL
    for (int i = 0; i < Shape::kColumns; ++i) write_column(b, query, b.column() + i, sums[i][q]);
  }
}

}  // namespace
}  // namespace rsr::cuda::RSR_SIMT
