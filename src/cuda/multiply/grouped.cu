// Products of matrices with scales of groups of columns (t2 and b1). Sums of groups are integers
// and may be found in any order; their floats are added in the order of the groups, by one thread a
// result.
//
// A block has one tile. Its warps find the sums of some groups, a group each, and leave them in
// shared memory with the groups' sums of x; then the threads go through them.
#include "cuda/multiply/results.cuh"
#include "cuda/multiply/sums.cuh"
#include "cuda/multiply/ways.h"

namespace rsr::cuda::RSR_SIMT {
namespace {

inline constexpr int kThreads = 256;

/// Groups whose sums lie in shared memory at a time: 16 KB.
template <int N>
inline constexpr int kRound = 32 / N;

template <int N>
struct GroupedShared {
  uint32_t sums[kRound<N>][N * 4 * kSumsRow];
  uint32_t corrections[kRound<N>][N * kVectors];
};

/// What a warp finds of a group: lines [begin, end) of the tile.
template <class F, int N>
struct GroupSums {
  SumsMovedDown<F, N, 1> sums;
  uint32_t of_x[N] = {};  // of a lane's columns

  RSR_DEVICE void add(const Multiply& p, const PackedMatrix& m, int tile, int first_vector,
                      int begin, int end) {
    const typename F::Table no_table = {};  // t5 has no groups
    const LanePlace at = lane_place();
    TileCursor<1, 1> lines(m, tile, begin, end, at);
    VectorCursor<F, N, 1> vectors(p, first_vector, begin, end, at);
    for (int line = begin + at.t; line - at.t < end; line += kStepLines) {
      simt::Words2 words[1];
      lines.read(words, 0);
      const Inputs<F, N> in = line < end ? vectors.read(0) : Inputs<F, N>{};
      lines.advance(1);
      vectors.advance(1);
      sums.add(no_table, words, in);
      add_inputs(in);
    }
  }
  /// Sum of x of the lane's vector g over the group, in every lane of it.
  RSR_DEVICE uint32_t sum_of_x(int n) const {
    uint32_t sum = of_x[n];
    sum += simt::shuffle_xor(sum, 1);
    sum += simt::shuffle_xor(sum, 2);
    return sum;
  }

 private:
  RSR_DEVICE void add_inputs(const Inputs<F, N>& in) {
    constexpr uint32_t kOnes = 0x01010101U;
    RSR_UNROLL
    for (int k = 0; k < N * F::kParts * 4; ++k) {
      const int n = k / (4 * F::kParts);
      const uint32_t four = in.parts[n][k / 4 % F::kParts].w[k % 4];
      of_x[n] += static_cast<uint32_t>(simt::dp4a(kOnes, four, 0));
    }
  }
};

/// The sums of a group, to place k of shared memory.
template <class F, int N>
RSR_DEVICE void leave_group(const Multiply& p, GroupedShared<N>& s, int k,
                            const GroupSums<F, N>& group) {
  const LanePlace at = lane_place();
  RSR_UNROLL
  for (int n = 0; n < N; ++n) {
    RSR_UNROLL
    for (int i = 0; i < 4; ++i) {
      s.sums[k][(4 * n + i) * kSumsRow + simt::lane()] = group.sums.get(0, n, i);
    }
    const uint32_t sum = group.sum_of_x(n);
    const bool corrected = p.alphabet != matrix::Alphabet::binary;
    if (at.t == 0) s.corrections[k][n * kVectors + at.g] = corrected ? sum : 0;
  }
}

/// The results of a thread, of [vector][row]: number `thread`, and every kThreads behind it.
template <int N>
class Totals {
 public:
  /// Adds `count` groups; `scales` are those of the tile's first row and the first group.
  RSR_DEVICE void add(const Multiply& p, const GroupedShared<N>& s, const float* scales,
                      int count) {
    RSR_UNROLL
    for (int i = 0; i < kMine; ++i) {
      const int o = simt::thread() + i * kThreads;
      if (o >= kResults) continue;
      const auto row = static_cast<unsigned>(o) % kTileRows;
      const auto vector = static_cast<unsigned>(o) / kTileRows;
      for (int k = 0; k < count; ++k) {
        const uint32_t sum = s.sums[k][place_of_sum<N>(row, vector)];
        const int32_t exact = exact_sum(p, sum, s.corrections[k][vector]);
        of_[i] += static_cast<float>(exact) * scales[k * kTileRows + row];
      }
    }
  }
  RSR_DEVICE void write(const Multiply& p, const PackedMatrix& m, int first_row,
                        int first_vector) const {
    RSR_UNROLL
    for (int i = 0; i < kMine; ++i) {
      const int o = simt::thread() + i * kThreads;
      const int row = first_row + o % kTileRows;
      const int vector = first_vector + o / kTileRows;
      if (o >= kResults || row >= m.rows || vector >= p.batch) continue;
      m.y[vector * m.stride + row] = scaled(of_[i], vector_terms(p, vector), scale_of_row(m, row));
    }
  }

 private:
  static constexpr int kResults = N * kVectors * kTileRows;
  static constexpr int kMine = (kResults + kThreads - 1) / kThreads;
  float of_[kMine] = {};
};

template <class F, int N>
RSR_KERNEL(kThreads)
grouped(Multiply p) {
  auto& s = simt::shared<GroupedShared<N>>();
  const BlockPlace place = block_place<1>(p);
  const PackedMatrix& m = p.matrices[place.matrix];
  if (simt::thread() == 0) prefetch_tile(m, place.tile, kMostPrefetched);
  simt::wait_for_previous();
  const int first_vector = simt::block_y() * N * kVectors;
  const int groups = simt::ceil_div(m.tile_lines, m.group_lines);
  const float* scales = m.group_scales + int64_t{place.tile} * groups * kTileRows;

  Totals<N> totals;
  for (int first = 0; first < groups; first += kRound<N>) {
    const int count = groups - first < kRound<N> ? groups - first : kRound<N>;
    for (int k = simt::warp(); k < count; k += kThreads / simt::kWarp) {
      const int begin = (first + k) * m.group_lines;
      const int end = begin + m.group_lines;
      GroupSums<F, N> group;
      group.add(p, m, place.tile, first_vector, begin, end < m.tile_lines ? end : m.tile_lines);
      leave_group(p, s, k, group);
    }
    simt::sync();
    totals.add(p, s, scales + first * kTileRows, count);
    simt::sync();
  }
  totals.write(p, m, place.tile * kTileRows, first_vector);
}

template <class F, int N>
Status start(int device, void* stream, const Multiply& p) {
  const simt::Launch how = {blocks_of(p, 1), simt::ceil_div(p.batch, N * kVectors), kThreads,
                            sizeof(GroupedShared<N>)};
  return launch(device, stream, how, grouped<F, N>, p);
}

template <class F>
Status start_for_batch(int device, void* stream, const Multiply& p) {
  if (p.batch <= kVectors) return start<F, 1>(device, stream, p);
  return start<F, 4>(device, stream, p);
}

}  // namespace

Status multiply_grouped(int device, void* stream, const Multiply& p) {
  if (p.format == matrix::Format::t2) return start_for_batch<T2>(device, stream, p);
  return start_for_batch<B1>(device, stream, p);
}

}  // namespace rsr::cuda::RSR_SIMT
