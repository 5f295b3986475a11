// Attention of a tile of tokens over one sequence's cache.
#pragma once

#include <cstdint>

#include "base/aligned.h"
#include "linear/context.h"
#include "model/config.h"
#include "model/kv_cache.h"

namespace rsr::model {

/// Memory that attention keeps between calls; it only grows.
struct AttentionScratch {
  base::AlignedArray<float> queries;  // of each thread: a block of tokens, one head
  base::AlignedArray<float> states;
};

/// The tokens of a tile, at consecutive positions.
struct AttentionTile {
  int64_t layer = 0;
  int64_t start = 0;  // position of the first token
  int64_t batch = 0;
};

/// Puts keys and values [batch, kv_dim], already turned by their positions, into the cache.
void append(Context::Impl& context, const ModelConfig& config, const KvCache& cache,
            const AttentionTile& tile, const float* keys, const float* values);

/// What goes in and comes out, [batch, q_dim] each.
struct AttentionRows {
  const float* queries = nullptr;
  float* out = nullptr;
};

/// out = softmax(q k / sqrt(head_dim)) v of each head, each token over the positions up to its own.
/// The bits of a token do not depend on the batch, nor on threads.
void attend(Context::Impl& context, const ModelConfig& config, const KvCache& cache,
            const AttentionTile& tile, const AttentionRows& rows, AttentionScratch& scratch);

}  // namespace rsr::model
