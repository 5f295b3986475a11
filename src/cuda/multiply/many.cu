// Products with many vectors: bound by matrix instructions, so lines and vectors are used as often
// as possible once they are there.
//
// A block has a rectangle of rows and vectors, and so has each of its warps; all go along the
// columns together, eight lines (a chunk) at a time. Chunks are copied to shared memory while
// others are multiplied. Where a warp has 64 rows and 64 vectors, four lines of t2 are 64
// instructions; they take 12 reads of shared memory (40 times 128 bytes), 56 operations to move
// codes down, and in a block of 128 x 128 40 bytes from L2 an instruction: less than tensor cores
// leave time for.
#include "cuda/multiply/results.cuh"
#include "cuda/multiply/ways.h"

namespace rsr::cuda::RSR_SIMT {
namespace {

inline constexpr int kChunkSteps = 2;
inline constexpr int kChunkLines = kChunkSteps * kStepLines;
inline constexpr int kPiece = 16;  // bytes that are copied at a time

/// Warps of a block along rows and vectors; tiles and eights of vectors of a warp; chunks in
/// memory.
template <int row_warps, int vector_warps, int tiles, int eights, int stages>
struct Shape {
  static constexpr int kRowWarps = row_warps;
  static constexpr int kThreads = row_warps * vector_warps * simt::kWarp;
  static constexpr int kWarpTiles = tiles;
  static constexpr int kTiles = row_warps * tiles;
  static constexpr int kWarpEights = eights;
  static constexpr int kWarpVectors = eights * kVectors;
  static constexpr int kVectorsOfBlock = vector_warps * kWarpVectors;
  static constexpr int kStages = stages;
};
using Shape64x64 = Shape<2, 2, 2, 4, 3>;
using Shape128x64 = Shape<4, 1, 2, 8, 3>;
using Shape128x128 = Shape<2, 2, 4, 8, 2>;
using Shape256x128 = Shape<4, 2, 4, 8, 2>;

/// Columns of a chunk, and what a vector's chunk takes in shared memory: so much that the 16 bytes
/// of two neighbouring vectors and four lines lie in different banks.
template <class F>
inline constexpr int kChunkCols = kChunkLines* F::kLineCols;
template <class F>
inline constexpr int kChunkRow = F::kParts == 1 ? 192 : kChunkCols<F> + kPiece;

template <class F, class S>
struct Stage {
  alignas(16) uint8_t lines[S::kTiles][kChunkLines][kLineBytes];
  alignas(16) int8_t x[S::kVectorsOfBlock][kChunkRow<F>];
};

template <class F, class S>
struct ManyShared {
  typename F::Table table;
  Stage<F, S> stages[S::kStages];
};

RSR_DEVICE void copy_or_clear(void* to, const void* from, bool there) {
  if (there) {
    simt::copy_async(to, from);
  } else {
    *static_cast<simt::Words4*>(to) = {};
  }
}

/// Asks for a chunk of the block's lines; zeros for those that do not exist.
template <class F, class S>
RSR_DEVICE void copy_lines(Stage<F, S>& stage, const PackedMatrix& m, int first_tile, int chunk) {
  constexpr int kPieces = kChunkLines * kLineBytes / kPiece;
  const int tiles = tiles_of(m);
  share_out<S::kThreads, S::kTiles * kPieces>([&](int i) {
    const int tile = first_tile + i / kPieces;
    const int at = i % kPieces * kPiece;
    const int line = chunk * kChunkLines + at / kLineBytes;
    const int64_t first_line = int64_t{tile} * m.tile_lines + chunk * kChunkLines;
    copy_or_clear(stage.lines[i / kPieces][0] + at, m.lines + first_line * kLineBytes + at,
                  tile < tiles && line < m.tile_lines);
  });
}

/// Asks for a chunk of the block's vectors; zeros behind x_stride. Behind the last vector it is
/// taken again; nobody asks for those results.
template <class F, class S>
RSR_DEVICE void copy_vectors(Stage<F, S>& stage, const Multiply& p, int first_vector, int chunk) {
  constexpr int kPieces = kChunkCols<F> / kPiece;
  const auto stride = static_cast<int>(p.x_stride);
  share_out<S::kThreads, S::kVectorsOfBlock * kPieces>([&](int i) {
    const int wanted = first_vector + i / kPieces;
    const int vector = wanted < p.batch ? wanted : p.batch - 1;
    const int at = i % kPieces * kPiece;
    const int column = chunk * kChunkCols<F> + at;
    copy_or_clear(stage.x[i / kPieces] + at, p.x + int64_t{vector} * stride + column,
                  column < stride);
  });
}

/// What a warp has of its block: its first tile and vector there.
struct WarpPlace {
  int tile;
  int vector;
};

/// A warp's sums, and how they grow by a part of four lines of each tile.
template <class F, class S>
struct WarpSums {
  int32_t c[S::kWarpTiles][S::kWarpEights][4] = {};

  RSR_DEVICE void add_part(const Codes (&codes)[S::kWarpTiles], const int8_t* x, int part) {
    uint32_t a[S::kWarpTiles][2][4];
    RSR_UNROLL
    for (int i = 0; i < S::kWarpTiles; ++i) {
      RSR_UNROLL
      for (int q = 0; q < 2; ++q) move_down<F>(a[i][q], codes[i], part, q);
    }
    RSR_UNROLL
    for (int n = 0; n < S::kWarpEights; ++n) {
      const auto in = *reinterpret_cast<const simt::Words4*>(x + n * kVectors * kChunkRow<F>);
      RSR_UNROLL
      for (int q = 0; q < 2; ++q) {
        RSR_UNROLL
        for (int i = 0; i < S::kWarpTiles; ++i) {
          simt::mma_u8_s8(c[i][n], a[i][q], {in.w[2 * q], in.w[2 * q + 1]});
        }
      }
    }
  }

  RSR_DEVICE void add_fifths(const Codes (&codes)[S::kWarpTiles], const int8_t* x) {
    RSR_UNROLL
    for (int n = 0; n < S::kWarpEights; ++n) {
      const auto in = *reinterpret_cast<const uint32_t*>(x + n * kVectors * kChunkRow<F>);
      RSR_UNROLL
      for (int i = 0; i < S::kWarpTiles; ++i) simt::mma_u8_s8(c[i][n], codes[i].fifths, in);
    }
  }

  /// A chunk, of which `lines` exist.
  RSR_DEVICE void add(const Stage<F, S>& stage, const typename F::Table& table, WarpPlace warp,
                      int lines) {
    const LanePlace at = lane_place();
    const int8_t* x = stage.x[warp.vector + at.g];
    for (int step = 0; step < kChunkSteps; ++step) {
      const int line = step * kStepLines + at.t;
      Codes codes[S::kWarpTiles];
      RSR_UNROLL
      for (int i = 0; i < S::kWarpTiles; ++i) {
        const uint8_t* two_rows = stage.lines[warp.tile + i][line] + 8 * at.g;
        codes[i] = F::decode(table, *reinterpret_cast<const simt::Words2*>(two_rows));
      }
      RSR_UNROLL
      for (int part = 0; part < F::kParts; ++part) add_part(codes, x + F::column(line, part), part);
      if constexpr (F::kFifths) add_fifths(codes, x + F::fifths_column(line, lines));
    }
  }
};

/// Two neighbouring rows' results of a vector, in one piece where that may be.
RSR_DEVICE void write_pair(uint32_t* to, bool both, uint32_t first, uint32_t second) {
  if (both && reinterpret_cast<uintptr_t>(to) % sizeof(simt::Words2) == 0) {
    *reinterpret_cast<simt::Words2*>(to) = {{first, second}};
    return;
  }
  to[0] = first;
  if (both) to[1] = second;
}

/// All results of a warp, from its first row and vector on.
template <class F, class S>
RSR_DEVICE void write_results(const Multiply& p, const PackedMatrix& m, const WarpSums<F, S>& sums,
                              int first_row, int first_vector) {
  const LanePlace at = lane_place();
  const int row = first_row + 2 * at.g;
  float scales[S::kWarpTiles][2];
  RSR_UNROLL
  for (int i = 0; i < S::kWarpTiles; ++i) {
    RSR_UNROLL
    for (int k = 0; k < 2; ++k) {
      const int r = row + kTileRows * i + k;
      scales[i][k] = r < m.rows ? scale_of_row(m, r) : 0.0f;
    }
  }
  RSR_UNROLL
  for (int n = 0; n < S::kWarpEights; ++n) {
    RSR_UNROLL
    for (int k = 0; k < 2; ++k) {
      const int vector = first_vector + kVectors * n + 2 * at.t + k;
      if (vector >= p.batch) continue;
      const VectorTerms terms = vector_terms(p, vector);
      RSR_UNROLL
      for (int i = 0; i < S::kWarpTiles; ++i) {
        const int r = row + kTileRows * i;
        if (r >= m.rows) continue;
        const int32_t(&c)[4] = sums.c[i][n];
        write_pair(results_at(m, r, vector), r + 1 < m.rows,
                   result(p, m, static_cast<uint32_t>(c[k]), terms, scales[i][0]),
                   result(p, m, static_cast<uint32_t>(c[2 + k]), terms, scales[i][1]));
      }
    }
  }
}

template <class F, class S>
RSR_KERNEL(S::kThreads)
many_vectors(Multiply p) {
  auto& s = simt::shared<ManyShared<F, S>>();
  const BlockPlace place = block_place<S::kTiles>(p);
  const PackedMatrix& m = p.matrices[place.matrix];
  const int first_vector = simt::block_y() * S::kVectorsOfBlock;
  const WarpPlace warp = {simt::warp() % S::kRowWarps * S::kWarpTiles,
                          simt::warp() / S::kRowWarps * S::kWarpVectors};
  const auto copy = [&](int chunk) {
    if (chunk * kChunkLines < m.tile_lines) {
      Stage<F, S>& stage = s.stages[chunk % S::kStages];
      copy_lines(stage, m, place.tile, chunk);
      copy_vectors(stage, p, first_vector, chunk);
    }
    simt::copies_commit();  // batches are counted: one for every chunk, be it empty
  };
  F::fill(s.table);
  simt::wait_for_previous();
  for (int chunk = 0; chunk < S::kStages - 1; ++chunk) copy(chunk);

  WarpSums<F, S> sums;
  for (int chunk = 0; chunk * kChunkLines < m.tile_lines; ++chunk) {
    simt::copies_wait<S::kStages - 2>();
    simt::sync();  // the chunk is there for all, and all have done with the one before
    copy(chunk + S::kStages - 1);
    if (first_vector + warp.vector < p.batch) {
      sums.add(s.stages[chunk % S::kStages], s.table, warp, m.tile_lines - chunk * kChunkLines);
    }
  }
  write_results(p, m, sums, (place.tile + warp.tile) * kTileRows, first_vector + warp.vector);
}

template <class F, class S>
Status start(int device, void* stream, const Multiply& p) {
  const simt::Launch how = {blocks_of(p, S::kTiles), simt::ceil_div(p.batch, S::kVectorsOfBlock),
                            S::kThreads, sizeof(ManyShared<F, S>)};
  return launch(device, stream, how, many_vectors<F, S>, p);
}

template <class F>
Status start_way(int device, void* stream, const Multiply& p, MultiplyWay way) {
  if (way == MultiplyWay::block64x64) return start<F, Shape64x64>(device, stream, p);
  if (way == MultiplyWay::block128x64) return start<F, Shape128x64>(device, stream, p);
  if (way == MultiplyWay::block128x128) return start<F, Shape128x128>(device, stream, p);
  return start<F, Shape256x128>(device, stream, p);
}

}  // namespace

Status multiply_many(int device, void* stream, const Multiply& p, MultiplyWay way) {
  if (p.format == matrix::Format::t2) return start_way<T2>(device, stream, p, way);
  if (p.format == matrix::Format::b1) return start_way<B1>(device, stream, p, way);
  return start_way<T5<false>>(device, stream, p, way);
}

}  // namespace rsr::cuda::RSR_SIMT
