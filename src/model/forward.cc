#include "model/forward.h"

#include <algorithm>
#include <functional>
#include <initializer_list>

#include "base/check.h"
#include "model/ops.h"

namespace rsr::model {
namespace {

/// One tile of tokens, all at consecutive positions from `start`.
class Tile {
 public:
  Tile(Context::Impl& context, const Model& model, Sequence& sequence, int64_t batch)
      : context_(context),
        model_(model),
        config_(model.config),
        sequence_(sequence),
        s_(sequence.scratch),
        start_(sequence.length),
        batch_(batch) {
    const auto tokens = static_cast<size_t>(batch);
    s_.hidden.reserve_discard(tokens * static_cast<size_t>(config_.hidden_size));
    s_.normed.reserve_discard(tokens * static_cast<size_t>(config_.hidden_size));
    s_.queries.reserve_discard(tokens * static_cast<size_t>(config_.q_dim()));
    s_.keys.reserve_discard(tokens * static_cast<size_t>(config_.kv_dim()));
    s_.values.reserve_discard(tokens * static_cast<size_t>(config_.kv_dim()));
    s_.mixed.reserve_discard(tokens * static_cast<size_t>(config_.q_dim()));
    s_.gate.reserve_discard(tokens * static_cast<size_t>(config_.intermediate_size));
    s_.up.reserve_discard(tokens * static_cast<size_t>(config_.intermediate_size));
    s_.cosine.reserve_discard(tokens * half_dim());
    s_.sine.reserve_discard(tokens * half_dim());
  }

  void embed(std::span<const int32_t> tokens) {
    for_tokens(config_.hidden_size, [&](int64_t t) {
      const int64_t id = tokens[static_cast<size_t>(t)];
      RSR_CHECK(id >= 0 && id < config_.vocab_size);
      model_.embedding.read_row(id, hidden(t));
      const size_t at = static_cast<size_t>(t) * half_dim();
      rope_angles(start_ + t, model_.rope_frequencies, &s_.cosine[at], &s_.sine[at]);
    });
    normalise(model_.layers.front().input_norm, s_.hidden.data(), s_.normed.data());
  }

  /// hidden += o(norm(attention(rope(q(x)), rope(k(x)), v(x)))), x = normed = norm(hidden), which
  /// the step before has left; and normed for the next one.
  void attention(int64_t layer) {
    const LayerWeights& w = model_.layers[static_cast<size_t>(layer)];
    const AttentionTile tile = {layer, start_, batch_};
    s_.input.set(s_.normed.data(), batch_, config_.hidden_size);
    multiply({{&w.at(Projection::q), s_.queries.data()},
              {&w.at(Projection::k), s_.keys.data()},
              {&w.at(Projection::v), s_.values.data()}});
    for_tokens(config_.q_dim() + config_.kv_dim(), [&](int64_t t) {
      const size_t at = static_cast<size_t>(t) * half_dim();
      const std::span<const float> cosine(&s_.cosine[at], half_dim());
      const std::span<const float> sine(&s_.sine[at], half_dim());
      rotate(cosine, sine, config_.num_heads, s_.queries.data() + t * config_.q_dim());
      rotate(cosine, sine, config_.num_kv_heads, s_.keys.data() + t * config_.kv_dim());
    });
    s_.lap(Stage::rest);
    append(context_, config_, sequence_.cache, tile, s_.keys.data(), s_.values.data());
    attend(context_, config_, sequence_.cache, tile, {s_.queries.data(), s_.mixed.data()},
           s_.attention);
    s_.lap(Stage::attention);
    normalise(w.attn_sub_norm, s_.mixed.data(), s_.mixed.data());
    s_.input.set(s_.mixed.data(), batch_, config_.q_dim());
    multiply({{&w.at(Projection::o), s_.normed.data()}});
    add_to_hidden(w.attention_norm);
  }

  /// hidden += down(norm(activation(gate(x), up(x)))), x = normed; and normed for the next layer,
  /// or for the head.
  void feed_forward(int64_t layer) {
    const LayerWeights& w = model_.layers[static_cast<size_t>(layer)];
    const int64_t size = config_.intermediate_size;
    s_.input.set(s_.normed.data(), batch_, config_.hidden_size);
    multiply({{&w.at(Projection::gate), s_.gate.data()}, {&w.at(Projection::up), s_.up.data()}});
    if (batch_ == 1) {
      activate_one(size);
      normalise(w.ffn_sub_norm, s_.gate.data(), s_.gate.data());
    } else {
      activate_each(size, w.ffn_sub_norm);
    }
    s_.input.set(s_.gate.data(), batch_, size);
    multiply({{&w.at(Projection::down), s_.normed.data()}});
    const auto next = static_cast<size_t>(layer) + 1;
    add_to_hidden(next < model_.layers.size() ? model_.layers[next].input_norm : model_.final_norm);
  }

  /// What the head reads after the last layer, [batch, hidden].
  const float* final_states() const {
    s_.lap(Stage::rest);
    return s_.normed.data();
  }

  /// logits[batch - first, vocab] of the tokens from `first` on.
  void logits(int64_t first, float* out) {
    final_states();
    linear::multiply_dense(context_, model_.head.view,
                           s_.normed.data() + first * config_.hidden_size, batch_ - first, out);
    s_.lap(Stage::head);
  }

 private:
  /// gate = activation(gate, up), `size` elements from `at` on.
  void activate(int64_t at, int64_t size) {
    float* gate = s_.gate.data() + at;
    const float* up = s_.up.data() + at;
    switch (config_.activation) {
      case Activation::relu2:
        return relu2_gate(gate, up, size, gate);
      case Activation::silu:
        return silu_gate(gate, up, size, gate);
    }
  }

  /// Of one token in pieces, which keep all threads busy.
  void activate_one(int64_t size) {
    constexpr int64_t kPiece = 1024;
    for_each((size + kPiece - 1) / kPiece, 16 * kPiece, [&](int64_t piece) {
      const int64_t at = piece * kPiece;
      activate(at, std::min(kPiece, size - at));
    });
  }

  /// Of many, each with its norm while it is in the cache.
  void activate_each(int64_t size, const std::vector<float>& norm) {
    for_tokens(16 * size, [&](int64_t t) {
      activate(t * size, size);
      float* gate = s_.gate.data() + t * size;
      if (!norm.empty()) rms_norm(gate, norm, config_.rms_norm_eps, gate);
    });
  }

  size_t half_dim() const { return static_cast<size_t>(config_.head_dim / 2); }
  float* hidden(int64_t t) { return s_.hidden.data() + t * config_.hidden_size; }

  /// body(i) for i of [0, count), each some `work` multiply-adds, on all threads that this is
  /// worth. The pool gets a reference, so that nothing is allocated.
  template <class Body>
  void for_each(int64_t count, int64_t work, const Body& body) {
    const auto part = [&body](base::Range range) {
      for (int64_t i = range.begin; i < range.end; ++i) body(i);
    };
    context_.pool.parallel_for(count, std::cref(part), 1 + kWorkPerThread / work);
  }
  template <class Body>
  void for_tokens(int64_t work, const Body& body) {
    for_each(batch_, work, body);
  }

  /// Row by row; a model without this norm has no weights for it, and nothing is done.
  void normalise(const std::vector<float>& weight, const float* x, float* y) {
    if (weight.empty()) return;
    const auto size = static_cast<int64_t>(weight.size());
    for_tokens(size, [&](int64_t t) {
      const int64_t at = t * size;
      rms_norm(x + at, weight, config_.rms_norm_eps, y + at);
    });
  }

  void multiply(std::initializer_list<LinearInput::Output> outputs) {
    s_.lap(Stage::rest);
    s_.input.multiply(context_, {outputs.begin(), outputs.size()});
    s_.lap(Stage::linears);
  }

  /// hidden += normed, normed = norm(hidden)
  void add_to_hidden(const std::vector<float>& next_norm) {
    for_tokens(2 * config_.hidden_size, [&](int64_t t) {
      float* normed = s_.normed.data() + t * config_.hidden_size;
      add(normed, config_.hidden_size, hidden(t));
      rms_norm(hidden(t), next_norm, config_.rms_norm_eps, normed);
    });
  }

  Context::Impl& context_;
  const Model& model_;
  const ModelConfig& config_;
  Sequence& sequence_;
  Scratch& s_;
  int64_t start_;
  int64_t batch_;
};

}  // namespace

std::span<const float> forward(Context::Impl& context, const Model& model, Sequence& sequence,
                               std::span<const int32_t> tokens, LogitsOf which) {
  const auto count = static_cast<int64_t>(tokens.size());
  RSR_CHECK_OP(count, >=, 1);
  RSR_CHECK_OP(count, <=, sequence.cache.positions() - sequence.length);
  const int64_t rows = which == LogitsOf::all ? count : which == LogitsOf::last ? 1 : 0;
  const int64_t vocab = model.config.vocab_size;
  const int64_t hidden = model.config.hidden_size;
  std::span<const float> states;
  sequence.scratch.logits.reserve_discard(static_cast<size_t>(rows * vocab));
  float* out = sequence.scratch.logits.data();  // [rows, vocab]
  for (int64_t begin = 0; begin < count; begin += kTile) {
    const int64_t batch = std::min(kTile, count - begin);
    Tile tile(context, model, sequence, batch);
    tile.embed(tokens.subspan(static_cast<size_t>(begin), static_cast<size_t>(batch)));
    for (int64_t layer = 0; layer < model.config.num_layers; ++layer) {
      tile.attention(layer);
      tile.feed_forward(layer);
    }
    if (which == LogitsOf::all) tile.logits(0, out + begin * vocab);
    const bool is_last = begin + batch == count;
    if (which == LogitsOf::last && is_last) tile.logits(batch - 1, out);
    if (which == LogitsOf::none_but_states && is_last) {
      states = {tile.final_states(), static_cast<size_t>(batch * hidden)};
    }
    sequence.length += batch;
  }
  if (which == LogitsOf::none_but_states) return states;
  return {out, static_cast<size_t>(rows * vocab)};
}

std::span<const float> full_head(Context::Impl& context, const Model& model, Sequence& sequence,
                                 std::span<const float> states) {
  const auto hidden = static_cast<size_t>(model.config.hidden_size);
  RSR_CHECK_OP(states.size() % hidden, ==, 0U);
  const size_t tokens = states.size() / hidden;
  const size_t size = tokens * static_cast<size_t>(model.config.vocab_size);
  base::AlignedArray<float>& logits = sequence.scratch.logits;
  logits.reserve_discard(size);
  linear::multiply_dense(context, model.head.view, states.data(), static_cast<int64_t>(tokens),
                         logits.data());
  return {logits.data(), size};
}

}  // namespace rsr::model
