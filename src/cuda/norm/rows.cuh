// What norm and gate do with a row: a thread keeps its columns in registers from the first read to
// the last write, so that a row passes through memory once.
//
// What a batch of one waits for is the sum of squares: cols / 16 additions, one after the other (4
// clocks each: 0.4 us for 2,560 columns, 1 us for 6,912). All threads leave squares in shared
// memory, and half a warp adds them, with loads a step ahead; the others meanwhile fetch the
// weights.
#pragma once

#include "cuda/norm/activation.cuh"
#include "cuda/simt.h"

namespace rsr::cuda::RSR_SIMT {
namespace {

constexpr int kPieceEach = 8;  // columns of a thread whose squares are in shared memory at a time
constexpr int kMostWeightsEach = 8;  // weights of more columns are not kept in registers
constexpr int kSumLanes = 16;
constexpr int kStepsAhead = 8;  // of the sum of squares
constexpr float kQuantizeFloor = 1e-5f;

/// Behind it come the squares, where there is a weight: [columns of a piece].
struct alignas(16) Shared {
  uint32_t most[simt::kWarp];  // of warps
  int32_t sums[simt::kWarp];
  float scale;
};

/// What a thread keeps of a row: zeros behind its end. Block sizes are known to the compiler, so
/// that columns are offsets in instructions and not registers.
template <int of_each, int of_block>
struct Columns {
  static constexpr int kEach = of_each;
  static constexpr int kThreads = of_block;
  static constexpr int kPiece = kEach < kPieceEach ? kEach : kPieceEach;
  static_assert(kPiece * kThreads % (kSumLanes * kStepsAhead) == 0, "pieces are whole runs");

  RSR_DEVICE static int column(int i) { return simt::thread() + i * kThreads; }

  float v[kEach];
};

/// x' of a row.
template <class Mine>
RSR_DEVICE void read_row(const Norm& p, Mine& mine) {
  const int64_t row = static_cast<int64_t>(simt::block_x()) * p.cols;
  const bool adds = p.residual != nullptr;
  RSR_UNROLL
  for (int first = 0; first < Mine::kEach; first += Mine::kPiece) {
    float before[Mine::kPiece];
    RSR_UNROLL
    for (int i = 0; i < Mine::kPiece; ++i) {
      const int c = mine.column(first + i);
      mine.v[first + i] = c < p.cols ? p.x[row + c] : 0.0f;
      before[i] = adds && c < p.cols ? p.residual[row + c] : 0.0f;
    }
    if (!adds) continue;  // 0 + -0 would not be -0
    RSR_UNROLL
    for (int i = 0; i < Mine::kPiece; ++i) {
      const int c = mine.column(first + i);
      mine.v[first + i] = before[i] + mine.v[first + i];
      if (c < p.cols) p.residual[row + c] = mine.v[first + i];
    }
  }
}
template <class Mine>
RSR_DEVICE void read_row(const Gate& p, Mine& mine) {
  const int64_t row = static_cast<int64_t>(simt::block_x()) * p.cols;
  float up[Mine::kEach];
  RSR_UNROLL
  for (int i = 0; i < Mine::kEach; ++i) {
    const int c = mine.column(i);
    mine.v[i] = c < p.cols ? p.gate[row + c] : 0.0f;
    up[i] = c < p.cols ? p.up[row + c] : 0.0f;
  }
  RSR_UNROLL
  for (int i = 0; i < Mine::kEach; ++i) mine.v[i] = activate(p.activation, mine.v[i], up[i]);
}

/// sum + squares[lane], squares[lane + 16], ..., one after the other.
RSR_DEVICE float add_in_order(const float* squares, int steps, float sum) {
  const float* at = squares + simt::lane() % kSumLanes;
  float next[kStepsAhead];
  RSR_UNROLL
  for (int i = 0; i < kStepsAhead; ++i) next[i] = at[i * kSumLanes];
  for (int step = 0; step < steps; step += kStepsAhead) {
    float now[kStepsAhead];
    const int ahead = step + kStepsAhead < steps ? step + kStepsAhead : step;
    RSR_UNROLL
    for (int i = 0; i < kStepsAhead; ++i) {
      now[i] = next[i];
      next[i] = at[(ahead + i) * kSumLanes];
    }
    RSR_UNROLL
    for (int i = 0; i < kStepsAhead; ++i) sum = sum + now[i];
  }
  return sum;
}

/// The sum of squares, piece by piece, for the threads of warp 0. Squares behind the row are zeros,
/// which change no sum.
template <class Mine>
RSR_DEVICE float sum_of_squares(float* squares, const Mine& mine, int cols) {
  constexpr int kPieceCols = Mine::kPiece * Mine::kThreads;
  float sum = 0.0f;
  RSR_UNROLL
  for (int first = 0; first < Mine::kEach; first += Mine::kPiece) {
    const int left = cols - first * Mine::kThreads;
    if (left <= 0) break;
    if (first > 0) simt::sync();  // the piece before has been read
    RSR_UNROLL
    for (int i = 0; i < Mine::kPiece; ++i) {
      squares[mine.column(i)] = mine.v[first + i] * mine.v[first + i];
    }
    simt::sync();
    const int steps = ((left < kPieceCols ? left : kPieceCols) + kSumLanes - 1) / kSumLanes;
    if (simt::warp() == 0) sum = add_in_order(squares, steps, sum);
  }
  RSR_UNROLL
  for (int half = kSumLanes / 2; half > 0; half /= 2) sum = sum + simt::shuffle_xor(sum, half);
  return sum;
}

template <class Mine>
RSR_DEVICE void normalise(Shared& s, const NormOutputs& out, int cols, Mine& mine) {
  const auto weight_of = [&](int i) {
    return mine.column(i) < cols ? out.weight[mine.column(i)] : 0.0f;
  };
  constexpr bool kKept = Mine::kEach <= kMostWeightsEach;
  [[maybe_unused]] float weights[kKept ? Mine::kEach : 1];
  if constexpr (kKept) {
    RSR_UNROLL
    for (int i = 0; i < Mine::kEach; ++i) weights[i] = weight_of(i);
  }
  const float sum = sum_of_squares(reinterpret_cast<float*>(&s + 1), mine, cols);
  if (simt::thread() == 0) {
    const float mean = simt::divide(sum, static_cast<float>(cols));
    s.scale = simt::divide(1.0f, simt::square_root(mean + out.eps));
  }
  simt::sync();
  const float scale = s.scale;
  RSR_UNROLL
  for (int i = 0; i < Mine::kEach; ++i) {
    const float scaled = mine.v[i] * scale;
    if constexpr (kKept) {
      mine.v[i] = scaled * weights[i];
    } else {
      mine.v[i] = scaled * weight_of(i);
    }
  }
}

/// The largest |v| of the block, at least the floor; NaNs are passed over, as on the CPU.
template <class Mine>
RSR_DEVICE float largest(Shared& s, const Mine& mine) {
  float most = kQuantizeFloor;
  RSR_UNROLL
  for (int i = 0; i < Mine::kEach; ++i) {
    const float magnitude = simt::absolute(mine.v[i]);
    most = magnitude > most ? magnitude : most;
  }
  const uint32_t of_warp = simt::warp_max(simt::to_bits(most));  // floats above zero: ordered bits
  if (simt::lane() == 0) s.most[simt::warp()] = of_warp;
  simt::sync();
  const bool has_one = simt::lane() < Mine::kThreads / simt::kWarp;
  return simt::from_bits(simt::warp_max(has_one ? s.most[simt::lane()] : 0U));
}

template <class Mine>
RSR_DEVICE void quantise(Shared& s, const NormOutputs& out, const Mine& mine) {
  const float most = largest(s, mine);
  const float scale = simt::divide(127.0f, most);
  int8_t* q = out.q + simt::block_x() * out.q_stride;
  int32_t sum = 0;
  RSR_UNROLL
  for (int i = 0; i < Mine::kEach; ++i) {
    const int32_t value = simt::round_half_even(mine.v[i] * scale);
    if (mine.column(i) < out.q_stride) q[mine.column(i)] = static_cast<int8_t>(value);
    sum += value;
  }
  sum = simt::warp_sum(sum);
  if (simt::lane() == 0) s.sums[simt::warp()] = sum;
  simt::sync();
  if (simt::warp() != 0) return;
  const bool has_one = simt::lane() < Mine::kThreads / simt::kWarp;
  sum = simt::warp_sum(has_one ? s.sums[simt::lane()] : 0);
  if (simt::thread() != 0) return;
  out.sums[simt::block_x()] = sum;
  out.inverse_scales[simt::block_x()] = simt::divide(most, 127.0f);
}

}  // namespace
}  // namespace rsr::cuda::RSR_SIMT
