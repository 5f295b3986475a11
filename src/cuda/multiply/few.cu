// Products with few vectors: bound by the bytes of the weights, so all warps of a block read.
//
// A block has R tiles of 16 rows; its warps take four lines of each in turn, add up what they find,
// and add that in shared memory. Vectors come through the first cache, which the weights pass by:
// 64 bytes of each vector meet 256 bytes of each tile.
//
// The first lines are asked for before the kernel in front has ended, and more of them brought into
// the second cache: weights never change.
//
// Bytes on their way: a warp asks for its next 1 KB of lines before it multiplies the last; 24 to
// 32 warps of a multiprocessor keep 24 to 32 KB asked for, where 4.3 TB/s at 0.8 us need 26 KB.
//
// Instructions of a warp for four lines of a tile (sm_90): 23 for t2 (1,024 weights), 36 for b1
// (2,048), 53 for t5 (1,280); 4.3 TB/s leave a multiprocessor 13.8 clocks for that, of four each.
#include <type_traits>

#include "base/check.h"
#include "cuda/multiply/results.cuh"
#include "cuda/multiply/sums.cuh"
#include "cuda/multiply/ways.h"
#include "cuda/norm/activation.cuh"

namespace rsr::cuda::RSR_SIMT {
namespace {

inline constexpr int kWarps = 8;
inline constexpr int kManyWarps = 16;

/// Steps of a warp whose lines are asked for at once: 1 KB, or half of it of twice as many warps.
template <int N, int R, int warps>
inline constexpr int kTurns = N > 2                      ? 1
                              : 32 / (N * R * warps) > 1 ? 32 / (N * R * warps)
                                                         : 1;

/// Threads of a multiprocessor that are to share its registers, so that enough bytes are on their
/// way.
template <class F, int N, int warps>
constexpr int sharers() {
  if (N > 1) return warps * simt::kWarp;
  return warps == kManyWarps || std::is_same_v<F, T2> ? 1024 : 768;
}

template <class F, int N, int R>
struct FewShared {
  static constexpr int kSums = R * N * 4 * kSumsRow;
  typename F::Table table;
  uint32_t sums[kSums];
};

/// Adds what a warp has found to the block's sums.
template <int N, int R, class WarpSums>
RSR_DEVICE void hand_over(uint32_t* block_sums, const WarpSums& sums) {
  RSR_UNROLL
  for (int k = 0; k < R * N * 4; ++k) {
    simt::atomic_add(block_sums + k * kSumsRow + simt::lane(),
                     sums.get(k / (4 * N), k / 4 % N, k % 4));
  }
}

/// Rows run along threads, so that they are written in one piece.
template <int N, int R, int threads>
RSR_DEVICE void write_results(const Multiply& p, const PackedMatrix& m, const uint32_t* block_sums,
                              int first_row, int first_vector) {
  constexpr unsigned kRows = R * kTileRows;
  share_out<threads, kRows * N * kVectors>([&](int i) {
    const unsigned at_row = static_cast<unsigned>(i) % kRows;
    const unsigned at_vector = static_cast<unsigned>(i) / kRows;
    const int row = first_row + static_cast<int>(at_row);
    const int vector = first_vector + static_cast<int>(at_vector);
    if (row >= m.rows || vector >= p.batch) return;
    const uint32_t sum = block_sums[place_of_sum<N>(at_row, at_vector)];
    *results_at(m, row, vector) = result(p, m, sum, vector_terms(p, vector), scale_of_row(m, row));
  });
}

/// Of a gate and its up: the tile of each that the block has.
template <int threads>
RSR_DEVICE void write_gated(const Multiply& p, const uint32_t* block_sums, int first_row) {
  const PackedMatrix& gate = p.matrices[0];
  const PackedMatrix& up = p.matrices[1];
  share_out<threads, kTileRows * kVectors>([&](int i) {
    const unsigned at_row = static_cast<unsigned>(i) % kTileRows;
    const unsigned vector = static_cast<unsigned>(i) / kTileRows;
    const int row = first_row + static_cast<int>(at_row);
    if (row >= gate.rows || static_cast<int>(vector) >= p.batch) return;
    const VectorTerms terms = vector_terms(p, static_cast<int>(vector));
    const auto value = [&](const PackedMatrix& m, unsigned of_block) {
      const uint32_t sum = block_sums[place_of_sum<1>(of_block, vector)];
      const int32_t exact = exact_sum(p, sum, terms.correction);
      return scaled(static_cast<float>(exact), terms, scale_of_row(m, row));
    };
    const float result = activate(p.activation, value(gate, at_row), value(up, kTileRows + at_row));
    *results_at(gate, row, static_cast<int>(vector)) = simt::to_bits(result);
  });
}

/// All tiles of the block, one a thread.
template <int R, bool gated>
RSR_DEVICE void prefetch_tiles(const Multiply& p, BlockPlace place) {
  const int r = simt::thread();
  if (r >= R) return;
  const PackedMatrix& m = p.matrices[gated ? r : place.matrix];
  const int tile = gated ? place.tile : place.tile + r;
  if (tile < tiles_of(m)) prefetch_tile(m, tile, kMostPrefetched / R);
}

template <int R, int warps, bool gated>
RSR_DEVICE TileCursor<R, warps> tiles_of_block(const Multiply& p, BlockPlace place, int first,
                                               int lines, LanePlace at) {
  if constexpr (gated) return {p.matrices, place.tile, first, lines, at};
  return {p.matrices[place.matrix], place.tile, first, lines, at};
}

template <class F, int N, int R, int warps, bool gated = false>
RSR_KERNEL((sharers<F, N, warps>()))
few_vectors(Multiply p) {
  constexpr int kThreads = warps * simt::kWarp;
  constexpr int kTurn = kTurns<N, R, warps>;
  using Shared = FewShared<F, N, R>;
  auto& s = simt::shared<Shared>();
  const LanePlace at = lane_place();
  const BlockPlace place = gated ? BlockPlace{0, simt::block_x()} : block_place<R>(p);
  const PackedMatrix& m = p.matrices[place.matrix];
  const int first_vector = simt::block_y() * N * kVectors;
  const int lines = m.tile_lines;
  const int first = simt::warp() * kStepLines;
  auto tiles = tiles_of_block<R, warps, gated>(p, place, first, lines, at);
  VectorCursor<F, N, warps> vectors(p, first_vector, first, lines, at);

  simt::Words2 next[kTurn][R];
  RSR_UNROLL
  for (int u = 0; u < kTurn; ++u) tiles.read(next[u], u);
  tiles.advance(kTurn);
  prefetch_tiles<R, gated>(p, place);
  F::fill(s.table);
  share_out<kThreads, Shared::kSums>([&](int i) { s.sums[i] = 0; });
  simt::wait_for_previous();
  simt::sync();

  Sums<F, N, R> sums;
  for (int left = lines - first; left > 0; left -= kTurn * warps * kStepLines) {
    Inputs<F, N> in[kTurn];
    simt::Words2 words[kTurn][R];
    RSR_UNROLL
    for (int u = 0; u < kTurn; ++u) {
      in[u] = vectors.read(u);
      RSR_UNROLL
      for (int r = 0; r < R; ++r) words[u][r] = next[u][r];
      tiles.read(next[u], u);
    }
    vectors.advance(kTurn);
    tiles.advance(kTurn);
    simt::warp_sync();  // else the compiler asks for some of it after waiting for the rest
    RSR_UNROLL
    for (int u = 0; u < kTurn; ++u) sums.add(s.table, words[u], in[u]);
  }
  hand_over<N, R>(s.sums, sums);
  simt::sync();
  if constexpr (gated) {
    write_gated<kThreads>(p, s.sums, place.tile * kTileRows);
  } else {
    write_results<N, R, kThreads>(p, m, s.sums, place.tile * kTileRows, first_vector);
  }
}

template <class F, int N, int R, int warps = kWarps>
Status start(int device, void* stream, const Multiply& p) {
  const simt::Launch how = {blocks_of(p, R), simt::ceil_div(p.batch, N * kVectors),
                            warps * simt::kWarp, sizeof(FewShared<F, N, R>)};
  return launch(device, stream, how, few_vectors<F, N, R, warps>, p);
}

template <class F>
Status start_gated(int device, void* stream, const Multiply& p) {
  const simt::Launch how = {blocks_of(p.matrices[0], 1), 1, kWarps * simt::kWarp,
                            sizeof(FewShared<F, 1, 2>)};
  return launch(device, stream, how, few_vectors<F, 1, 2, kWarps, true>, p);
}

int longest_tile(const Multiply& p) {
  int lines = 0;
  for (int i = 0; i < p.count; ++i) {
    if (p.matrices[i].tile_lines > lines) lines = p.matrices[i].tile_lines;
  }
  return lines;
}

/// Up to eight vectors. Where multiprocessors get a block or two, more warps keep more bytes on
/// their way.
template <class F>
Status start_eight(int device, void* stream, const Multiply& p, int tiles) {
  if (tiles > 1) return start<F, 1, 2>(device, stream, p);
  const bool few_blocks = blocks_of(p, 1) < 256;
  if (few_blocks && longest_tile(p) >= kManyWarps * kStepLines) {
    return start<F, 1, 1, kManyWarps>(device, stream, p);
  }
  return start<F, 1, 1>(device, stream, p);
}

template <class F>
Status start_for_batch(int device, void* stream, const Multiply& p, int tiles) {
  if (p.batch <= kVectors && longest_tile(p) <= kMostLinesInPlace) {
    return start_eight<F>(device, stream, p, tiles);
  }
  if (p.batch <= 2 * kVectors) {
    if (tiles == 1) return start<F, 2, 1>(device, stream, p);
    return start<F, 2, 2>(device, stream, p);
  }
  if (p.batch <= 4 * kVectors) return start<F, 4, 2>(device, stream, p);
  return start<F, 8, 2>(device, stream, p);
}

}  // namespace

Status multiply_few(int device, void* stream, const Multiply& p, int tiles) {
  if (p.format == matrix::Format::t2) return start_for_batch<T2>(device, stream, p, tiles);
  if (p.format == matrix::Format::b1) return start_for_batch<B1>(device, stream, p, tiles);
  return start_for_batch<T5<true>>(device, stream, p, tiles);
}

Status multiply_gated(int device, void* stream, const Multiply& p) {
  RSR_CHECK(longest_tile(p) <= kMostLinesInPlace);
  if (p.format == matrix::Format::t2) return start_gated<T2>(device, stream, p);
  if (p.format == matrix::Format::b1) return start_gated<B1>(device, stream, p);
  return start_gated<T5<true>>(device, stream, p);
}

}  // namespace rsr::cuda::RSR_SIMT
