#include "model/attention.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

#include "kernels/attention/attention.h"

namespace rsr::model {
namespace {

using kernels::kChunk;
using kernels::kStateHead;

// Tokens that go over a head's keys together: their queries and states stay in L2.
constexpr int64_t kTokenBlock = 16;

// Multiply-adds below which a thread is not worth starting: about a microsecond.
constexpr int64_t kWorth = 1 << 16;

/// One call of attend(). Its work is cut into items, a key head and a block of tokens each; with
/// few items (a single token) each is cut again, by chunks of positions, and merged afterwards.
class Attention {
 public:
  Attention(Context::Impl& context, const ModelConfig& config, const KvCache& cache,
            const AttentionTile& tile, AttentionScratch& scratch)
      : context_(context),
        config_(config),
        cache_(cache),
        tile_(tile),
        scratch_(scratch),
        kernels_(context.kernels.attention[static_cast<size_t>(cache.type())]),
        group_(config.num_heads / config.num_kv_heads),
        blocks_((tile.batch + kTokenBlock - 1) / kTokenBlock),
        items_(config.num_kv_heads * blocks_),
        chunks_((tile.start + tile.batch + kChunk - 1) / kChunk),
        parts_(items_ >= int64_t{4} * context.pool.threads() ? 1 : chunks_),
        block_queries_(std::min(kTokenBlock, tile.batch) * group_),
        state_stride_(kStateHead + cache.value_stride()) {
    const int64_t threads = context.pool.threads();
    scratch.queries.reserve_discard(
        static_cast<size_t>(threads * block_queries_ * config.head_dim));
    const int64_t states = parts_ > 1 ? items_ * parts_ : threads;
    scratch.states.reserve_discard(static_cast<size_t>(states * block_queries_ * state_stride_));
  }

  void run(const float* queries, float* out) {
    const int64_t work = 2 * config_.head_dim * group_ * std::min(kTokenBlock, tile_.batch) *
                         std::min(parts_ > 1 ? kChunk : tile_.start + tile_.batch, kMostWork);
    const auto part = [&](base::Range range) {
      for (int64_t i = range.begin; i < range.end; ++i)
        run_part(i / parts_, i % parts_, queries, out);
    };
    context_.pool.parallel_for(items_ * parts_, std::cref(part), 1 + kWorth / work);
    if (parts_ == 1) return;
    const auto merge = [&](base::Range range) {
      for (int64_t item = range.begin; item < range.end; ++item) merge_parts(item, out);
    };
    const int64_t merged = block_queries_ * state_stride_ * parts_;
    context_.pool.parallel_for(items_, std::cref(merge), 1 + kWorth / merged);
  }

 private:
  static constexpr int64_t kMostWork = 1 << 20;

  /// What an item is about.
  struct Item {
    int64_t head;   // of keys
    int64_t token;  // its first, in the tile
    int64_t tokens;
  };
  Item item(int64_t index) const {
    const int64_t token = index % blocks_ * kTokenBlock;
    return {index / blocks_, token, std::min(kTokenBlock, tile_.batch - token)};
  }
  float* states_of(int64_t index) {
    return scratch_.states.data() + index * block_queries_ * state_stride_;
  }

  void run_part(int64_t index, int64_t part, const float* queries, float* out) {
    const Item it = item(index);
    const int64_t thread = base::pool_thread();
    float* own = scratch_.queries.data() + thread * block_queries_ * config_.head_dim;
    gather(it, queries, own);
    float* states = states_of(parts_ > 1 ? index * parts_ + part : thread);
    clear(it, states);
    const int64_t last = tile_.start + it.token + it.tokens;  // positions seen by the last token
    const int64_t first_chunk = parts_ > 1 ? part : 0;
    const int64_t chunk_end = parts_ > 1 ? part + 1 : chunks_;
    for (int64_t c = first_chunk; c < chunk_end && c * kChunk < last; ++c) {
      add_chunk(it, c * kChunk, own, states);
    }
    if (parts_ == 1) write(it, states, out);
  }

  /// Queries of the item side by side, divided by sqrt(head_dim): [tokens][group][head_dim].
  void gather(const Item& it, const float* queries, float* own) const {
    const int64_t count = group_ * config_.head_dim;
    const float scale = 1.0f / std::sqrt(static_cast<float>(config_.head_dim));
    for (int64_t t = 0; t < it.tokens; ++t, own += count) {
      const float* from = queries + (it.token + t) * config_.q_dim() + it.head * count;
      for (int64_t i = 0; i < count; ++i) own[i] = from[i] * scale;
    }
  }

  void clear(const Item& it, float* states) const {
    const int64_t count = it.tokens * group_;
    std::fill_n(states, count * state_stride_, 0.0f);
    for (int64_t q = 0; q < count; ++q) {
      states[q * state_stride_] = -std::numeric_limits<float>::infinity();
    }
  }

  /// The positions from `first` on, for each token those up to its own.
  void add_chunk(const Item& it, int64_t first, const float* own, float* states) {
    for (int64_t t = 0; t < it.tokens;) {
      const int64_t seen = tile_.start + it.token + t + 1 - first;
      // Tokens behind the chunk see all of it: they go together.
      const int64_t tokens = seen >= kChunk ? it.tokens - t : 1;
      if (seen > 0) {
        const int64_t query = t * group_;
        kernels_.attend->function(
            {cache_.chunk(tile_.layer, it.head, first, std::min(seen, kChunk)),
             own + query * config_.head_dim, config_.head_dim, tokens * group_,
             states + query * state_stride_});
      }
      t += tokens;
    }
  }

  void merge_parts(int64_t index, float* out) {
    const Item it = item(index);
    float* into = states_of(index * parts_);
    const int64_t last = tile_.start + it.token + it.tokens;
    for (int64_t part = 1; part < parts_ && part * kChunk < last; ++part) {
      context_.kernels.merge_states->function(
          {states_of(index * parts_ + part), into, it.tokens * group_, state_stride_});
    }
    write(it, into, out);
  }

  void write(const Item& it, const float* states, float* out) const {
    for (int64_t t = 0; t < it.tokens; ++t) {
      for (int64_t g = 0; g < group_; ++g, states += state_stride_) {
        float* to =
            out + (it.token + t) * config_.q_dim() + (it.head * group_ + g) * config_.head_dim;
        const float total = states[1];
        for (int64_t d = 0; d < config_.head_dim; ++d) to[d] = states[kStateHead + d] / total;
      }
    }
  }

  Context::Impl& context_;
  const ModelConfig& config_;
  const KvCache& cache_;
  const AttentionTile& tile_;
  AttentionScratch& scratch_;
  const linear::AttentionKernels& kernels_;
  int64_t group_;   // query heads of a key head
  int64_t blocks_;  // of tokens
  int64_t items_;
  int64_t chunks_;
  int64_t parts_;          // of an item
  int64_t block_queries_;  // of an item, at most
  int64_t state_stride_;
};

}  // namespace

void append(Context::Impl& context, const ModelConfig& config, const KvCache& cache,
            const AttentionTile& tile, const float* keys, const float* values) {
  const auto* kernel = context.kernels.attention[static_cast<size_t>(cache.type())].append;
  const auto part = [&](base::Range tokens) {
    for (int64_t t = tokens.begin; t < tokens.end; ++t) {
      for (int64_t head = 0; head < config.num_kv_heads; ++head) {
        kernels::KvAppend slot = cache.slot(tile.layer, head, tile.start + t);
        slot.key = keys + t * config.kv_dim() + head * config.head_dim;
        slot.value = values + t * config.kv_dim() + head * config.head_dim;
        kernel->function(slot);
      }
    }
  };
  context.pool.parallel_for(tile.batch, std::cref(part), 1 + kWorth / (8 * config.kv_dim()));
}

void attend(Context::Impl& context, const ModelConfig& config, const KvCache& cache,
            const AttentionTile& tile, const AttentionRows& rows, AttentionScratch& scratch) {
  Attention(context, config, cache, tile, scratch).run(rows.queries, rows.out);
}

}  // namespace rsr::model
