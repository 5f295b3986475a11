// From a sum of codes times x to what the caller wants (multiply.h), and where a block's rows lie.
#pragma once

#include "cuda/multiply/fragments.cuh"

namespace rsr::cuda::RSR_SIMT {
namespace {

/// Tiles of a matrix, and blocks of so many tiles. Unsigned: such divisions are shifts.
constexpr int tiles_of(const PackedMatrix& m) {
  return static_cast<int>((static_cast<unsigned>(m.rows) + kTileRows - 1U) / kTileRows);
}
constexpr int blocks_of(const PackedMatrix& m, int tiles) {
  const auto rows = static_cast<unsigned>(tiles * kTileRows);
  return static_cast<int>((static_cast<unsigned>(m.rows) + rows - 1U) / rows);
}

/// Blocks that share out the rows of all matrices; none has rows of two matrices.
inline int blocks_of(const Multiply& p, int tiles) {
  int blocks = 0;
  for (int i = 0; i < p.count; ++i) blocks += blocks_of(p.matrices[i], tiles);
  return blocks;
}

/// The rows of a block: the matrix, and the first tile in it.
struct BlockPlace {
  int matrix;
  int tile;
};
template <int tiles>
RSR_DEVICE BlockPlace block_place(const Multiply& p) {
  int block = simt::block_x();
  int i = 0;
  for (; i + 1 < p.count; ++i) {
    const int blocks = blocks_of(p.matrices[i], tiles);
    if (block < blocks) break;
    block -= blocks;
  }
  return {i, block * tiles};
}

/// Calls visit(i) for the thread's share of `count` things, as often as the compiler can count.
template <int threads, int count, class Visit>
RSR_DEVICE void share_out(const Visit& visit) {
  RSR_UNROLL
  for (int turn = 0; turn < (count + threads - 1) / threads; ++turn) {
    const int i = simt::thread() + turn * threads;
    if (count % threads == 0 || i < count) visit(i);
  }
}

/// What the results of a vector have in common.
struct VectorTerms {
  uint32_t correction;
  float scale;
};
RSR_DEVICE VectorTerms vector_terms(const Multiply& p, int vector) {
  const bool corrected = p.alphabet != matrix::Alphabet::binary;
  return {corrected ? static_cast<uint32_t>(p.x_sums[vector]) : 0U,
          p.token_scales != nullptr ? p.token_scales[vector] : 1.0f};
}

RSR_DEVICE float scale_of_row(const PackedMatrix& m, int row) {
  return m.row_scales != nullptr ? m.row_scales[row] : m.scale;
}

/// Sum of values times x from the sum of codes times x: a ternary value is code - 1, a sign
/// 2 code - 1. Modulo 2^32 until the end.
RSR_DEVICE int32_t exact_sum(const Multiply& p, uint32_t sum, uint32_t correction) {
  const uint32_t twice_or_once = p.alphabet == matrix::Alphabet::signs ? 2U * sum : sum;
  return static_cast<int32_t>(twice_or_once - correction);
}

RSR_DEVICE float scaled(float sum, const VectorTerms& vector, float row_scale) {
  return sum * vector.scale * row_scale;
}

/// The result as it lies in memory: an integer, or a float's bits.
RSR_DEVICE uint32_t result(const Multiply& p, const PackedMatrix& m, uint32_t sum,
                           const VectorTerms& vector, float row_scale) {
  const int32_t exact = exact_sum(p, sum, vector.correction);
  if (m.y == nullptr) return static_cast<uint32_t>(exact);
  return simt::to_bits(scaled(static_cast<float>(exact), vector, row_scale));
}

/// Results of one vector from `row` on.
RSR_DEVICE uint32_t* results_at(const PackedMatrix& m, int row, int vector) {
  auto* all =
      m.y != nullptr ? reinterpret_cast<uint32_t*>(m.y) : reinterpret_cast<uint32_t*>(m.sums);
  return all + int64_t{vector} * static_cast<int>(m.stride) + row;
}

}  // namespace
}  // namespace rsr::cuda::RSR_SIMT
