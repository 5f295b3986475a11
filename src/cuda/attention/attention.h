// Operations rope_append and attend: a step's keys and values go into the cache, its queries look
// at it. The cache has the layout of kernels/attention, and results have its bits: fused products
// in the order d = 0, 1, ... and p = 0, 1, ..., chunks of 256 positions with a state each, merged
// in order.
//
// Positions are read from device memory, so that a captured graph serves every token.
#pragma once

#include <cstdint>

#include "kernels/attention/attention.h"

namespace rsr::cuda {

/// The heads of one layer's cache. A head's memory: keys [blocks of 16 positions][dim][16], values
/// [positions][value_stride], for i8 the scales of keys and of values [positions], at these
/// offsets; all of them and head_bytes multiples of 16.
struct KvHeads {
  uint8_t* data = nullptr;
  int64_t head_bytes = 0;
  int64_t values_at = 0;
  int64_t key_scales_at = 0;    // i8 only
  int64_t value_scales_at = 0;  // i8 only
  kernels::KvType type = kernels::KvType::f16;
  int32_t heads = 0;
  int32_t dim = 0;
  int32_t value_stride = 0;
};

/// Turns queries (in place) and keys by their positions, and appends keys and values to the cache.
struct RopeAppend {
  float* queries = nullptr;       // [batch][query_heads * dim]
  const float* keys = nullptr;    // [batch][heads * dim]
  const float* values = nullptr;  // [batch][heads * dim]
  int32_t query_heads = 0;
  int32_t batch = 0;
  const int32_t* start = nullptr;  // on the device: position of token 0
  const float* cosine = nullptr;   // [positions][dim / 2]
  const float* sine = nullptr;
  KvHeads kv;
};

struct Attend {
  // Turned; not yet divided by sqrt(dim).
  const float* queries = nullptr;  // [batch][query_heads * dim]
  float* out = nullptr;            // [batch][query_heads * dim]
  int32_t query_heads = 0;
  int32_t batch = 0;
  const int32_t* start = nullptr;  // on the device; token t sees positions 0 .. *start + t
  // Chunks that the launch provides for: (*start + batch) must not exceed 256 * chunks. States of
  // chunks go through `states` [batch][query_heads][chunks][16 + value_stride]; larger batches than
  // there is room for do without, as does a single chunk.
  int32_t chunks = 0;
  float* states = nullptr;
  int32_t state_tokens = 0;
  int32_t* arrived = nullptr;  // [2 * batch * query_heads] zeros, and zeros again in the end
  KvHeads kv;
  // A token alone may come as it is, with its key and value: then this is rope_append, too, but for
  // the queries, which stay as they are. Null: all that has been done.
  const float* keys = nullptr;    // [heads * dim]
  const float* values = nullptr;  // [heads * dim]
  const float* cosine = nullptr;  // [positions][dim / 2]
  const float* sine = nullptr;
};

}  // namespace rsr::cuda
