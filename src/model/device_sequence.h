// A sequence of tokens on a device: its cache, its buffers, and the pass through the model there.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <tuple>

#include "cuda/device.h"
#include "cuda/operations.h"
#include "model/device_head.h"
#include "model/device_model.h"
#include "model/kv_cache.h"

namespace rsr::model {

/// Of a tile of tokens, on the device. [tokens, ...] each, as in forward.h's Scratch.
struct DeviceBuffers {
  cuda::Memory control;  // int32: position of the first token, then the tokens' ids; behind them
                         // cuda::HeadQuery of each state, at queries_at_
  cuda::Memory hidden;
  cuda::Memory normed;
  cuda::Memory queries;
  cuda::Memory keys;
  cuda::Memory values;
  cuda::Memory mixed;
  cuda::Memory gate;
  cuda::Memory up;
  cuda::Memory int8;  // vectors quantised, with their sums and inverse scales
  cuda::Memory int8_sums;
  cuda::Memory int8_scales;
  cuda::Memory linear_normed;  // floats through a linear's own norm
  cuda::Memory states;         // of attention
  cuda::Memory arrived;        // blocks of attention; zeros between launches
  cuda::Memory logits;
};

/// Bytes of a quantised vector on a device: whole lines of every format.
constexpr int64_t int8_stride(int64_t cols) {
  return (cols + 63) / 64 * 64;
}

/// The forward pass of one sequence. The bits of its logits are those of forward() on the host, for
/// weights whose inputs are quantised and for 16-bit ones; a ternary weight with float inputs has
/// those of format t2.
class DeviceSequence {
 public:
  /// Tokens of a pass. So many fill a GPU with the largest blocks of products, which read least;
  /// their buffers take 130 MB (bitnet-2b) to 350 (falcon3-10b).
  static constexpr int64_t kTile = 1024;

  /// Room for `positions` tokens. Errors: no memory on the device.
  static Result<std::unique_ptr<DeviceSequence>> create(std::shared_ptr<const DeviceModel> device,
                                                        const Model& model, int64_t positions,
                                                        KvType type);

  /// Reads `tokens` at the positions from `start` on, and gives the logits [states, vocab] of the
  /// last `states` of them (none: 0), which are valid until the next call. One token is one graph
  /// of the device, as are a few with as many states; it is waited for. Errors: what the device
  /// reports.
  Result<std::span<const float>> forward(std::span<const int32_t> tokens, int64_t start,
                                         int64_t states);

  /// Whether choose() can read so many tokens for so many states.
  bool can_choose(int64_t tokens, int64_t states) const;
  /// Whether the head has a scan form on the device, and the bytes that a scan reads.
  bool can_scan() const { return head_ != nullptr && head_->can_scan(); }
  int64_t scan_bytes() const { return device_->head_scan->bytes(); }
  /// Reads tokens in the same way, and chooses the tokens behind the last of them, one for each
  /// query: by a scan, or by all logits. Errors: what the device reports.
  Status choose(std::span<const int32_t> tokens, int64_t start, const HeadQuestion& question,
                bool scan);
  /// After choose() by a scan: once more by all logits.
  Status choose_by_logits();
  /// What was chosen for a state: nothing where the scan cannot tell, or a logit is not finite.
  std::optional<HeadChoice> choice(int64_t state) const { return head_->answer(state); }
  /// After choose(): the logits [states, vocab], valid until the next call.
  Result<std::span<const float>> logits_after_choice();

  /// Keys and values of the first `count` positions, one or more, from a cache of the host's, of
  /// the same type, or into it. Errors: what the device reports.
  Status put_cache(const KvCache& from, int64_t count);
  Status get_cache(const KvCache& to, int64_t count);

 private:
  DeviceSequence(std::shared_ptr<const DeviceModel> device, const Model& model,
                 cuda::Stream stream);

  Status reserve(int64_t positions, KvType type);
  Status reserve_control();
  cuda::Dense head_table() const;
  size_t control_bytes(int64_t queries) const {
    return static_cast<size_t>(queries_at_) +
           static_cast<size_t>(queries) * sizeof(cuda::HeadQuery);
  }
  Status reserve_logits(int64_t states);
  /// cosine and sine of all positions below `end`.
  Status extend_angles(int64_t end);

  /// One tile, all at consecutive positions.
  struct Tile {
    int32_t batch = 0;
    int32_t chunks = 0;  // that attention provides for
    int64_t states = 0;  // the last so many, that logits or tokens are wanted of
    int64_t row = 0;     // of the host's logits, where they go
    std::optional<HeadWay> way = std::nullopt;  // to tokens, if they are wanted; else logits are
  };
  /// All tokens, tile by tile. Logits of the last `states` go to logits_, or tokens to head_.
  Status read(std::span<const int32_t> tokens, int64_t start, int64_t states,
              const std::optional<HeadWay>& way);
  /// A tile of which batch and chunks are not known yet.
  Status run_tile(std::span<const int32_t> tokens, int64_t start, Tile tile);
  Status ask_in_graph(const Tile& tile);
  /// Waits for what was asked for, of which an error may have left out a part: it may still be
  /// reading memory of the host.
  Status finish(const Status& asked);
  Status copy_control(const Tile& tile);
  Status ask(const Tile& tile);
  Status attention(const Tile& tile, const DeviceLayer& layer, int64_t index);
  /// The norm behind a layer, and whether what it leaves is read in int8.
  struct NextNorm {
    const float* weight;
    bool int8;
  };
  Status feed_forward(const Tile& tile, const DeviceLayer& layer, const NextNorm& next);
  Status multiply_head(const Tile& tile);
  Status copy_logits(const Tile& tile);
  Status choose_tokens(const Tile& tile);

  /// y of each linear; all read the floats `x` [batch, cols], or what has been quantised of them.
  struct Output {
    const DeviceLinear* linear;
    float* y;
  };
  Status multiply(const Tile& tile, const float* x, std::span<const Output> outputs);
  /// activation(gate) * up, and what a norm makes of it.
  using GateAndUp = std::array<Output, 2>;
  Status multiply_gated(const Tile& tile, const float* x, const GateAndUp& both,
                        const cuda::NormOutputs& out);
  static bool goes_with(const DeviceLinear& linear, const cuda::Multiply& others);
  Status multiply_alone(const Tile& tile, const float* x, const Output& output);
  cuda::Multiply int8_product(const Tile& tile) const;
  static void add(const DeviceLinear& linear, float* y, cuda::Multiply* p);
  /// What a norm leaves: floats, and if asked for the same quantised.
  cuda::NormOutputs outputs(const float* weight, int64_t cols, float* y, bool quantised) const;
  cuda::KvHeads kv_heads(int64_t layer) const;
  template <class Copy>
  Status copy_cache(const KvCache& host, int64_t count, const Copy& copy);

  std::shared_ptr<const DeviceModel> device_;
  const Model& model_;
  cuda::Stream stream_;
  DeviceBuffers b_;
  cuda::Memory cache_;
  cuda::KvHeads kv_;         // of layer 0
  int64_t layer_bytes_ = 0;  // of the cache
  int64_t positions_ = 0;
  int64_t tile_ = 0;          // tokens of a tile, at most
  int64_t state_tokens_ = 0;  // that there is room for states of attention of
  cuda::Memory cosine_;
  cuda::Memory sine_;
  int64_t angles_ = 0;  // positions that have some
  cuda::PinnedMemory control_;
  cuda::PinnedMemory logits_;
  int64_t logits_rows_ = 0;
  int64_t queries_at_ = 0;  // in the control block
  std::unique_ptr<DeviceHead> head_;
  Tile last_;                 // the latest tile, whose states are still there
  HeadWay choice_of_logits_;  // of the latest question
  /// By tokens, chunks, and how it ends. The first of its kind does without.
  std::map<std::tuple<int32_t, int32_t, std::optional<HeadWay>>, cuda::Graph> graphs_;
};

}  // namespace rsr::model
