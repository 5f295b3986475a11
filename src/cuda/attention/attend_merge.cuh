// The states of chunks, which blocks have left in memory, become results: by the last of the blocks
// that share queries.
#pragma once

#include "cuda/attention/attend_values.cuh"
#include "cuda/last_block.cuh"

namespace rsr::cuda::RSR_SIMT {
namespace {

/// Of a chunk whose state is merged into those before it.
struct ChunkState {
  float top;
  float total;
  float keep;
  float take;
};

/// Chunks whose states have room where keys and values were.
template <class T, int queries>
inline constexpr int kMostMerged = static_cast<int>(SliceShape<T, queries>::kStages *
                                                    sizeof(typename SliceShape<T, queries>::Stage) /
                                                    (queries * sizeof(ChunkState)));

/// Whether the states of all other blocks of these queries are in memory. Every thread calls it.
template <class T, int queries>
RSR_DEVICE bool is_last_block(AttendBlock<T, queries>& b) {
  const int count = (b.span.seen + kPositions - 1) / kPositions;
  return is_last_block(b.p.arrived + simt::block_x(), count, b.s.is_last);
}

/// The tops say at once what all merges multiply with; then the sums of a column wait for nothing
/// but each other.
template <class T, int queries>
RSR_DEVICE void merge_chunks(AttendBlock<T, queries>& b) {
  const int most = (b.span.seen + kPositions - 1) / kPositions;
  const int stride = kernels::kStateHead + b.p.kv.value_stride;
  auto* chunks = reinterpret_cast<ChunkState*>(b.s.stages);  // [queries][most]
  const auto count_of = [&](int query) { return (b.s.seen[query] + kPositions - 1) / kPositions; };
  const auto states_of = [&](int query) {
    return b.p.states + b.row_of(b.first + query) * b.p.chunks * stride;
  };
  for (int i = simt::thread(); i < queries * most; i += simt::threads()) {
    const int query = i / most;
    if (i % most >= count_of(query)) continue;
    const float* state = states_of(query) + i % most * stride;
    chunks[i].top = simt::load_fresh(state);
    chunks[i].total = simt::load_fresh(state + 1);
  }
  simt::sync();
  for (int i = simt::thread(); i < queries * most; i += simt::threads()) {
    const ChunkState* of_query = chunks + i / most * most;
    if (i % most >= count_of(i / most)) continue;
    float before = of_query[0].top;
    for (int c = 1; c < i % most; ++c) before = of_query[c].top > before ? of_query[c].top : before;
    const Merge m = merge_of_tops(before, chunks[i].top);
    chunks[i].keep = m.keep;
    chunks[i].take = m.take;
  }
  simt::sync();
  const int columns = smaller(b.p.kv.dim - b.first_column, AttendShape<T, queries>::kMostColumns);
  for (int i = simt::thread(); i < queries * columns; i += simt::threads()) {
    const int query = i / columns;
    const int count = count_of(query);
    if (count == 0) continue;
    const ChunkState* of_query = chunks + query * most;
    const int column = b.first_column + i % columns;
    const float* at = states_of(query) + kernels::kStateHead + column;
    float total = of_query[0].total;
    float sum = simt::load_fresh(at);
    for (int c = 1; c < count; ++c) {
      total = merged(total, of_query[c].total, of_query[c].keep, of_query[c].take);
      sum = merged(sum, simt::load_fresh(at + c * stride), of_query[c].keep, of_query[c].take);
    }
    b.p.out[b.row_of(b.first + query) * b.p.kv.dim + column] = simt::divide(sum, total);
  }
}

}  // namespace
}  // namespace rsr::cuda::RSR_SIMT
