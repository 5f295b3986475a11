// What norm and gate do with a row: a thread keeps its columns in registers from the first read to
// the last write, so that a row passes through memory once.
//
// What a batch of one waits for is one reduction after the other. The sum of squares has as many
// partial sums as a block at most has threads, so that each thread adds up its own columns; a warp
// adds the threads', with loads that do not wait for each other.
#pragma once

#include "cuda/norm/activation.cuh"
#include "cuda/simt.h"

namespace rsr::cuda::RSR_SIMT {
namespace {

constexpr int kPieceEach = 8;        // columns of a thread that are read at a time
constexpr int kMostWeightsEach = 8;  // weights of more columns are not kept in registers
constexpr int kSquareSums = 1024;    // as in model/ops.h
constexpr float kQuantizeFloor = 1e-5f;

struct alignas(16) Shared {
  float squares[kSquareSums];  // sums of threads
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
  static_assert(kSquareSums % kThreads == 0, "partial sums are a thread's own");

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

/// The sum of `count` values, halves upon each other, in place of the first one. (A template, since
/// the compiler does not unroll a loop over halves in long functions: the values would be memory.)
template <int count, int size>
RSR_DEVICE void fold(float (&values)[size]) {
  if constexpr (count > 1) {
    constexpr int kHalf = count / 2;
    RSR_UNROLL
    for (int i = 0; i < kHalf; ++i) values[i] = values[i] + values[i + kHalf];
    fold<kHalf>(values);
  }
}

/// The sum of squares, for the threads of warp 0. Zeros, of columns behind the row and of partial
/// sums without any, change no sum.
template <class Mine>
RSR_DEVICE float sum_of_squares(Shared& s, const Mine& mine) {
  constexpr int kOwn = kSquareSums / Mine::kThreads;  // i: number thread + i * kThreads
  float own[kOwn] = {};
  RSR_UNROLL
  for (int i = 0; i < Mine::kEach; ++i) own[i % kOwn] = own[i % kOwn] + mine.v[i] * mine.v[i];
  fold<kOwn>(own);
  s.squares[simt::thread()] = own[0];
  simt::sync();
  if (simt::warp() != 0) return 0.0f;
  constexpr int kHalf = Mine::kThreads / simt::kWarp / 2;
  float of_warps[kHalf];
  RSR_UNROLL
  for (int i = 0; i < kHalf; ++i) {
    const float* at = &s.squares[simt::lane() + i * simt::kWarp];
    of_warps[i] = at[0] + at[kHalf * simt::kWarp];
  }
  fold<kHalf>(of_warps);
  float sum = of_warps[0];
  RSR_UNROLL
  for (int half = simt::kWarp / 2; half > 0; half /= 2) sum = sum + simt::shuffle_xor(sum, half);
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
  const float sum = sum_of_squares(s, mine);
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
