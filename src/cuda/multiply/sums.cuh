// What a warp adds up for R tiles of rows and N times eight vectors, from lines and vectors in
// device memory.
#pragma once

#include <type_traits>

#include "cuda/multiply/results.cuh"

namespace rsr::cuda::RSR_SIMT {
namespace {

/// What the columns of a step's four lines are in N vectors, for a lane: those of its line.
template <class F, int N>
struct Inputs {
  simt::Words4 parts[N][F::kParts];
  uint32_t fifths[N];

  /// Words 2q and 2q + 1 of a part, for an instruction.
  RSR_DEVICE void add_product(int32_t (&c)[4], const uint32_t (&a)[4], int n, int part,
                              int q) const {
    const simt::Words4& in = parts[n][part];
    simt::mma_u8_s8(c, a, {in.w[2 * q], in.w[2 * q + 1]});
  }
};

// Cursors: a warp's way along the columns, `stride` steps of four lines from one of its own to the
// next. They move along, so that all addresses of a turn are registers plus constants.

/// The vectors that a lane feeds to instructions: one of every eight. Behind the last vector of the
/// batch it is read again; nobody asks for those results. Zeros behind x_stride.
template <class F, int N, int stride>
class VectorCursor {
 public:
  /// From line `first` of a tile that has `lines`.
  RSR_DEVICE VectorCursor(const Multiply& p, int first_vector, int first, int lines, LanePlace at)
      : lines_left_(lines - first), fifths_of_lane_(-12 * at.t) {
    const int column = F::column(first + at.t, 0);
    const auto x_stride = static_cast<int>(p.x_stride);
    bytes_left_ = x_stride - column;
    RSR_UNROLL
    for (int n = 0; n < N; ++n) {
      const int wanted = first_vector + kVectors * n + at.g;
      const int vector = wanted < p.batch ? wanted : p.batch - 1;
      at_[n] = p.x + int64_t{vector} * x_stride + column;
    }
  }
  /// For the step that lies `turn` strides ahead.
  RSR_DEVICE Inputs<F, N> read(int turn) const {
    Inputs<F, N> in;
    RSR_UNROLL
    for (int n = 0; n < N; ++n) {
      RSR_UNROLL
      for (int part = 0; part < F::kParts; ++part) {
        in.parts[n][part] = at<simt::Words4>(n, turn * kBytes + 16 * part);
      }
      if constexpr (F::kFifths) in.fifths[n] = at<uint32_t>(n, turn * kBytes + fifths(turn));
    }
    return in;
  }
  RSR_DEVICE void advance(int turns) {
    RSR_UNROLL
    for (int n = 0; n < N; ++n) at_[n] += turns * kBytes;
    bytes_left_ -= turns * kBytes;
    lines_left_ -= turns * stride * kStepLines;
  }

 private:
  static constexpr int kBytes = stride * F::kStepCols;

  template <class T>
  RSR_DEVICE T at(int n, int offset) const {
    if (offset >= bytes_left_) return T{};
    return *reinterpret_cast<const T*>(at_[n] + offset);
  }
  /// From a line's first column to its fifths: those of a super-block follow its 16 columns a line.
  RSR_DEVICE int fifths(int turn) const {
    const int left = lines_left_ - turn * stride * kStepLines;
    const int lines = left < 0 ? 0 : left < kStepLines ? left : kStepLines;
    return 16 * lines + fifths_of_lane_;
  }

  const int8_t* at_[N];
  int bytes_left_;
  int lines_left_;
  int fifths_of_lane_;
};

/// The beginning of a block's tile comes into the second cache while the kernel in front still runs:
/// in a model that is a norm as a rule, 1 to 2 us during which nothing else would be read; at 4.3
/// TB/s that is time for 4 to 9 MB, 32 KB of each of 140 to 280 blocks. By one thread.
RSR_DEVICE void prefetch_tile(const PackedMatrix& m, int tile, int most) {
  const int64_t bytes = int64_t{m.tile_lines} * kLineBytes;
  simt::prefetch(m.lines + tile * bytes, static_cast<int>(bytes < most ? bytes : most));
}
inline constexpr int kMostPrefetched = 32 << 10;

/// R tiles of a matrix, as a lane reads them: zeros behind the last line, which are the codes 0 in
/// every format. Behind the last tile it is read again.
template <int R, int stride>
class TileCursor {
 public:
  /// From line `first` up to line `end`.
  RSR_DEVICE TileCursor(const PackedMatrix& m, int first_tile, int first, int end, LanePlace at)
      : left_(end - first - at.t) {
    const int last = tiles_of(m) - 1;
    RSR_UNROLL
    for (int r = 0; r < R; ++r) {
      const int tile = first_tile + r < last ? first_tile + r : last;
      const int64_t line = int64_t{tile} * m.tile_lines + first + at.t;
      at_[r] = m.lines + line * kLineBytes + 8 * at.g;
    }
  }
  /// The same tile of R matrices.
  RSR_DEVICE TileCursor(const PackedMatrix (&matrices)[kMostMatrices], int tile, int first, int end,
                        LanePlace at)
      : left_(end - first - at.t) {
    const int64_t line = int64_t{tile} * matrices[0].tile_lines + first + at.t;
    RSR_UNROLL
    for (int r = 0; r < R; ++r) at_[r] = matrices[r].lines + line * kLineBytes + 8 * at.g;
  }
  RSR_DEVICE void read(simt::Words2 (&words)[R], int turn) const {
    RSR_UNROLL
    for (int r = 0; r < R; ++r) {
      words[r] = {};
      const auto* from = reinterpret_cast<const simt::Words2*>(at_[r] + turn * kBytes);
      if (turn * stride * kStepLines < left_) words[r] = simt::load_in_order(from);
    }
  }
  RSR_DEVICE void advance(int turns) {
    RSR_UNROLL
    for (int r = 0; r < R; ++r) at_[r] += turns * kBytes;
    left_ -= turns * stride * kStepLines;
  }

 private:
  static constexpr int kBytes = stride * kStepLines * kLineBytes;
  const uint8_t* at_[R];
  int left_;
};

/// Codes are moved down, so that a tile and eight vectors have one set of sums. They may wrap.
template <class F, int N, int R>
struct SumsMovedDown {
  int32_t c[R][N][4] = {};

  /// Adds four lines of each tile.
  RSR_DEVICE void add(const typename F::Table& table, const simt::Words2 (&words)[R],
                      const Inputs<F, N>& in) {
    RSR_UNROLL
    for (int r = 0; r < R; ++r) {
      const Codes codes = F::decode(table, words[r]);
      RSR_UNROLL
      for (int k = 0; k < 2 * F::kParts; ++k) {
        uint32_t a[4];
        move_down<F>(a, codes, k / 2, k % 2);
        RSR_UNROLL
        for (int n = 0; n < N; ++n) in.add_product(c[r][n], a, n, k / 2, k % 2);
      }
      if constexpr (F::kFifths) {
        RSR_UNROLL
        for (int n = 0; n < N; ++n) simt::mma_u8_s8(c[r][n], codes.fifths, in.fifths[n]);
      }
    }
  }
  RSR_DEVICE uint32_t get(int r, int n, int i) const { return static_cast<uint32_t>(c[r][n][i]); }
};

// Overflow of sums in place: an instruction adds at most 32 * 128 * 64 = 2^18 (bit 6 of b1; 2^17
// for code 2 of t2 in bits 5:4), and a set of sums takes one instruction of a step of four lines.
// So a warp may take 2^13 steps; of eight warps that share out a tile each takes that many of 2^18
// lines.
inline constexpr int kMostLinesInPlace = 1 << 18;

/// Up to eight vectors: codes stay in place, and each place has a set of sums.
template <class F, int R>
struct SumsInPlace {
  static constexpr int kSets = 4 / F::kBits;
  int32_t c[R][kSets][4] = {};

  RSR_DEVICE void add(const typename F::Table& table, const simt::Words2 (&words)[R],
                      const Inputs<F, 1>& in) {
    RSR_UNROLL
    for (int r = 0; r < R; ++r) {
      const Codes codes = F::decode(table, words[r]);
      RSR_UNROLL
      for (int j = 0; j < kSets; ++j) {
        uint32_t a[4];
        leave_in_place<F>(a, codes, j);
        in.add_product(c[r][j], a, 0, j / 2, j % 2);
      }
      if constexpr (F::kFifths) simt::mma_u8_s8(c[r][0], codes.fifths, in.fifths[0]);
    }
  }
  RSR_DEVICE uint32_t get(int r, int /*n*/, int i) const {
    uint32_t sum = 0;
    RSR_UNROLL
    for (int j = 0; j < kSets; ++j) sum += static_cast<uint32_t>(c[r][j][i] >> 2 * F::kBits * j);
    return sum;
  }
};

template <class F, int N, int R>
using Sums = std::conditional_t<N == 1, SumsInPlace<F, R>, SumsMovedDown<F, N, R>>;

// Sums of a block in shared memory, [tile][n][4][kSumsRow]: as lanes hold them. Sum i of an
// instruction is that of row 2g + i / 2 of the tile and vector 2t + i % 2. A row is one word longer
// than a warp, so that the 16 rows of two vectors lie in different banks.
inline constexpr int kSumsRow = simt::kWarp + 1;

/// Where the sum of a row (of R tiles) and vector lies, N times eight vectors.
template <int N>
RSR_DEVICE int place_of_sum(unsigned row, unsigned vector) {
  const unsigned lane = row % kTileRows / 2 * 4 + vector % kVectors / 2;
  const unsigned i = row % 2 * 2 + vector % 2;
  return static_cast<int>(((row / kTileRows * N + vector / kVectors) * 4 + i) * kSumsRow + lane);
}

}  // namespace
}  // namespace rsr::cuda::RSR_SIMT
