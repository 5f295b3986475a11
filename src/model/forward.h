// The forward pass of a decoder-only transformer: tokens in, logits out.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "base/aligned.h"
#include "linear/context.h"
#include "model/attention.h"
#include "model/device_sequence.h"
#include "model/kv_cache.h"
#include "model/linear_layer.h"
#include "model/stage_timer.h"
#include "model/weights.h"

namespace rsr::model {

/// Tokens that go through the layers together. A longer prompt goes in tiles of this size, which
/// bounds the memory; beyond a few hundred, larger tiles are no faster.
inline constexpr int64_t kTile = 256;

/// Buffers of a forward pass; they only grow, so that decoding allocates nothing.
struct Scratch {
  base::AlignedArray<float> hidden;   // [tile, hidden], the residual stream
  base::AlignedArray<float> normed;   // [tile, hidden]
  base::AlignedArray<float> queries;  // [tile, q_dim]
  base::AlignedArray<float> keys;     // [tile, kv_dim], on their way into the cache
  base::AlignedArray<float> values;   // [tile, kv_dim]
  base::AlignedArray<float> mixed;    // [tile, q_dim], what attention gives
  base::AlignedArray<float> gate;     // [tile, intermediate]
  base::AlignedArray<float> up;       // [tile, intermediate]
  base::AlignedArray<float> cosine;   // [tile, head_dim / 2]
  base::AlignedArray<float> sine;     // [tile, head_dim / 2]
  base::AlignedArray<float> logits;   // [tokens with logits, vocab]
  AttentionScratch attention;
  LinearInput input;
  StageTimer* stages = nullptr;  // for benchmarks: whoever sets it starts it

  void lap(Stage stage) const {
    if (stages != nullptr) stages->lap(stage);
  }
};

/// One sequence of tokens on its way through a model.
struct Sequence {
  explicit Sequence(KvCache reserved) : cache(std::move(reserved)) {}

  KvCache cache;
  int64_t length = 0;  // tokens in the cache; lower it to forget the latest
  Scratch scratch;
  /// The sequence on a device, which has keys and values then, and not `cache`. Its owner calls
  /// DeviceSequence::forward() in the place of forward().
  std::unique_ptr<DeviceSequence> device = {};
};

/// Logits of no token, of the last, of all; or none, but the states that the head would read, of
/// all tokens of the last tile, for whoever takes it from there.
enum class LogitsOf { none, last, all, none_but_states };

/// Appends `tokens` to the sequence: ids below the vocabulary size, no more than the cache has room
/// for. Gives logits [rows, vocab] of the last token, of all, or none, or states [tokens, hidden];
/// they are valid until the next call. The bits do not depend on how tokens are divided into calls,
/// nor on threads.
std::span<const float> forward(Context::Impl& context, const Model& model, Sequence& sequence,
                               std::span<const int32_t> tokens, LogitsOf which = LogitsOf::last);

/// The logits [tokens, vocab] of such states, in the sequence's scratch: those of LogitsOf::all.
std::span<const float> full_head(Context::Impl& context, const Model& model, Sequence& sequence,
                                 std::span<const float> states);

}  // namespace rsr::model
