// Operation attention: keys and values put into a cache, and queries that look at a chunk of it.
//
//   score[q][p] = sum over d of query[q][d] * key[p][d]
//   top = max score, weight = exp(score - top), total = sum of weights, sums[d] = sum weight *
//   value
//
// A head's cache, for elements of type f32, f16 or i8 (one scale per position, 127 / max |x|):
//   keys    [blocks of 16 positions][dim][16]: one step of a dot product for 16 positions is one
//           vector, nothing is added up across lanes
//   values  [positions][value_stride], dim padded to whole vectors
//
// The bits of a result are the contract, on every instruction set: products and sums are fused
// (fma), in the order d = 0, 1, ... and p = 0, 1, ...; weights are added in 16 lanes, p % 16, then
// as a tree (l and l + 8, 4, 2, 1). Positions go in chunks of kChunk; a chunk has a state (top,
// total, sums) of its own, and states are merged in order:
//   t = max(a.top, b.top), x' = fma(b.x, exp(b.top - t), a.x * exp(a.top - t)) for total and sums.
// So a query gives the same bits alone and in a batch, on any number of threads.
#pragma once

#include <cstdint>

namespace rsr::kernels {

enum class KvType : uint8_t { f32, f16, i8 };

inline constexpr int kKvLanes = 16;     // positions of a block of keys, floats of a vector
inline constexpr int64_t kChunk = 256;  // positions of a chunk
inline constexpr int64_t kMostHeadDim = 512;
inline constexpr int kStateHead = 16;  // floats of a state in front of its sums: top, total, unused

/// One chunk of a head's cache.
struct KvChunk {
  const void* keys = nullptr;           // its first block
  const void* values = nullptr;         // its first row
  const float* key_scales = nullptr;    // [positions], i8 only
  const float* value_scales = nullptr;  // [positions], i8 only
  int64_t positions = 0;                // 1 to kChunk that the queries may see
  int64_t dim = 0;                      // at most kMostHeadDim
  int64_t value_stride = 0;             // elements: dim in whole vectors
};

struct Attend {
  KvChunk kv;
  const float* queries = nullptr;  // [count][query_stride], already divided by sqrt(dim)
  int64_t query_stride = 0;
  int64_t count = 0;
  // [count][kStateHead + value_stride], on 64-byte boundaries: the chunk's states are merged into
  // these. An empty one is top = -infinity and zeros.
  float* states = nullptr;

  int64_t state_stride() const { return kStateHead + kv.value_stride; }
};

/// into = merged(into, from), for `count` states.
struct MergeStates {
  const float* from = nullptr;
  float* into = nullptr;
  int64_t count = 0;
  int64_t stride = 0;  // kStateHead + value_stride
};

/// One position of a head: floats on their way into the cache.
struct KvAppend {
  const float* key = nullptr;    // [dim]
  const float* value = nullptr;  // [dim]
  int64_t dim = 0;
  int64_t value_stride = 0;
  int64_t position = 0;
  void* keys = nullptr;  // of the head, position 0
  void* values = nullptr;
  float* key_scales = nullptr;  // i8 only
  float* value_scales = nullptr;
};

using AttendFunction = void(const Attend& p) noexcept;
using MergeStatesFunction = void(const MergeStates& p) noexcept;
using KvAppendFunction = void(const KvAppend& p) noexcept;

#define ATTEND(type, isa) AttendFunction attend_##type##_##isa;
#define MERGE_STATES(isa) MergeStatesFunction merge_states_f32_##isa;
#define KV_APPEND(type, isa) KvAppendFunction kv_append_##type##_##isa;
#include "kernels/attention/kernels.inc"

}  // namespace rsr::kernels
