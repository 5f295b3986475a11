// Keys and values of a head on their way through a ring in shared memory: slices of a chunk's keys
// (some dims of all its positions), then slices of its values (some positions), then the next
// chunk. Three slices are on their way while one is worked on: 48 KB a block (24 KB with many
// queries).
#pragma once

#include "cuda/attention/attention.h"
#include "cuda/attention/elements.cuh"
#include "cuda/simt.h"

namespace rsr::cuda::RSR_SIMT {
namespace {

constexpr int kPositions = static_cast<int>(kernels::kChunk);
constexpr int kLanes = kernels::kKvLanes;

/// Slices for blocks of `queries` queries.
template <class T, int queries>
struct SliceShape {
  static constexpr int kStages = 4;
  static constexpr int kBytesOfPosition = queries > 4 ? 32 : 64;
  static constexpr int kDims = kBytesOfPosition / static_cast<int>(sizeof(T));
  // Of 16 positions, with a step behind it: their lanes and those of the next 16 lie in other
  // banks.
  static constexpr int kBlock = (kDims + 1) * kLanes;
  static constexpr int kElements = kPositions / kLanes * kBlock;
  static_assert(kElements >= 4 * kernels::kMostHeadDim, "four rows of values");
  struct alignas(16) Stage {
    T of[kElements];
  };
};

/// Which positions a block of threads goes over: chunks [chunk, end), `seen` positions in all.
struct Span {
  int chunk;
  int end;
  int seen;

  RSR_DEVICE int positions(int of_chunk) const {
    return smaller(seen - of_chunk * kPositions, kPositions);
  }
};

template <class T, int queries>
class Slices {
 public:
  using Shape = SliceShape<T, queries>;
  using Stage = typename Shape::Stage;

  RSR_DEVICE Slices(const KvHeads& kv, int head, const Span& span, Stage (&stages)[Shape::kStages])
      : kv_(kv), head_(kv.data + head * kv.head_bytes), span_(span), stages_(stages) {
    chunk_ = span.chunk;
    rows_ = Shape::kElements / kv.value_stride / 4 * 4;
    for (int i = 0; i < Shape::kStages - 1; ++i) ask();
  }

  /// Positions of a slice of values, a multiple of four.
  RSR_DEVICE int rows() const { return rows_; }

  /// The next slice; every thread of the block calls it. The one before it is gone.
  RSR_DEVICE const T* next() {
    simt::copies_wait<Shape::kStages - 2>();
    simt::sync();
    ask();
    const T* at = stages_[taken_].of;
    taken_ = (taken_ + 1) % Shape::kStages;
    return at;
  }

 private:
  /// Asks for the next slice, where there is one.
  RSR_DEVICE void ask() {
    if (chunk_ < span_.end) {
      const int positions = span_.positions(chunk_);
      if (dim_ < kv_.dim) {
        ask_keys(positions);
        dim_ += Shape::kDims;
      } else {
        ask_values(positions);
        row_ += rows_;
        if (row_ >= positions) {
          ++chunk_;
          dim_ = 0;
          row_ = 0;
        }
      }
    }
    simt::copies_commit();
    asked_ = (asked_ + 1) % Shape::kStages;
  }

  /// Dims [dim_, dim_ + kDims) of all blocks of 16 positions: a warp per block, 16 bytes a copy.
  RSR_DEVICE void ask_keys(int positions) {
    constexpr int kStepCopies = static_cast<int>(sizeof(T));  // of 16 elements
    constexpr int kWarpCopies = Shape::kDims * kStepCopies / simt::kWarp;
    constexpr int kBlockBytes = Shape::kBlock * static_cast<int>(sizeof(T));
    static_assert(Shape::kDims * kStepCopies % simt::kWarp == 0, "whole warps");
    const int warps = simt::threads() / simt::kWarp;
    const int64_t step = static_cast<int64_t>(kLanes) * sizeof(T);
    const int64_t block_bytes = kv_.dim * step;
    const int64_t first = chunk_ * (kPositions / kLanes) + simt::warp();
    const uint8_t* from = head_ + first * block_bytes + dim_ * step + simt::lane() * 16;
    uint8_t* to = stage(asked_) + simt::warp() * kBlockBytes + simt::lane() * 16;
    const int left = (kv_.dim - dim_) * kStepCopies - simt::lane();
    const int blocks = (positions + kLanes - 1) / kLanes;
    for (int block = simt::warp(); block < blocks; block += warps) {
      RSR_UNROLL
      for (int i = 0; i < kWarpCopies; ++i) {
        constexpr int kBytes = simt::kWarp * 16;
        if (i * simt::kWarp < left) simt::copy_async(to + i * kBytes, from + i * kBytes);
      }
      from += warps * block_bytes;
      to += warps * kBlockBytes;
    }
  }

  /// Positions [row_, row_ + rows_): as they lie.
  RSR_DEVICE void ask_values(int positions) {
    const int row_bytes = kv_.value_stride * static_cast<int>(sizeof(T));
    const int bytes = smaller(rows_, positions - row_) * row_bytes;
    const int step = simt::threads() * 16;
    const int mine = simt::thread() * 16;
    const int64_t first = static_cast<int64_t>(chunk_) * kPositions + row_;
    const uint8_t* from = head_ + kv_.values_at + first * row_bytes + mine;
    uint8_t* to = stage(asked_) + mine;
    for (int left = bytes - mine; left > 0; left -= step, from += step, to += step) {
      simt::copy_async(to, from);
    }
  }

  RSR_DEVICE uint8_t* stage(int number) const {
    return reinterpret_cast<uint8_t*>(stages_[number].of);
  }

  const KvHeads& kv_;
  const uint8_t* head_;
  Span span_;
  Stage (&stages_)[Shape::kStages];
  int rows_;
  int chunk_;  // to be asked for next: this dim of its keys, or this row of its values
  int dim_ = 0;
  int row_ = 0;
  int asked_ = 0;  // stages
  int taken_ = 0;
};

}  // namespace
}  // namespace rsr::cuda::RSR_SIMT
