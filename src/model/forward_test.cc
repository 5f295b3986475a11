#include "model/forward.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "model/tiny_model.h"

namespace rsr::model {
namespace {

using Ids = std::vector<int32_t>;

/// A loaded model with its threads.
struct Loaded {
  explicit Loaded(const TinyModel& tiny, int threads = 1)
      : context(Context::create({.threads = threads}).value()) {
    const TempDirectory directory;
    tiny.write(directory.path());
    model.emplace(load_model(context.impl(), directory.path()).value());
  }
  Sequence sequence(int64_t positions = 1200) const {
    return Sequence(KvCache::create(model->config, positions).value());
  }
  std::vector<float> run(Sequence& sequence, std::span<const int32_t> tokens,
                         LogitsOf which = LogitsOf::last) const {
    const auto logits = forward(context.impl(), *model, sequence, tokens, which);
    return {logits.begin(), logits.end()};
  }

  Context context;
  std::optional<Model> model;
};

Ids random_tokens(size_t count) {
  std::mt19937 random(11);
  Ids ids(count);
  for (int32_t& id : ids) id = static_cast<int32_t>(random() % 48);
  return ids;
}

/// The graph of BitNet b1.58 as its definition has it, in double and without any cleverness.
class Reference {
 public:
  explicit Reference(const TinyModel& tiny) : tiny_(tiny), s_(tiny.sizes) {}

  /// Logits of every token, [tokens * vocab].
  std::vector<double> logits(const Ids& tokens) {
    std::vector<Row> hidden;
    for (const int32_t id : tokens) {
      hidden.push_back(table_row("model.embed_tokens.weight", id));
    }
    for (int64_t i = 0; i < s_.layers; ++i) {
      layer("model.layers." + std::to_string(i) + ".", hidden);
    }
    std::vector<double> all;
    const char* head = s_.tied ? "model.embed_tokens.weight" : "lm_head.weight";
    for (const Row& h : hidden) {
      const Row x = norm(h, "model.norm.weight");
      for (int64_t id = 0; id < s_.vocab; ++id) all.push_back(dot(x, table_row(head, id)));
    }
    return all;
  }

 private:
  using Row = std::vector<double>;

  static double dot(const Row& a, const Row& b) {
    double sum = 0;
    for (size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
    return sum;
  }

  Row table_row(const std::string& name, int64_t row) const {
    const auto begin = tiny_.floats.at(name).begin() + row * s_.hidden;
    return {begin, begin + s_.hidden};
  }

  Row norm(Row x, const std::string& name) const {
    const auto& weight = tiny_.floats.at(name);
    const double scale = 1 / std::sqrt(dot(x, x) / static_cast<double>(x.size()) + 1e-5);
    for (size_t i = 0; i < x.size(); ++i) x[i] *= scale * static_cast<double>(weight[i]);
    return x;
  }

  Row bit_linear(const Row& x, const std::string& module) const {
    double most = 1e-5;
    for (const double value : x) most = std::max(most, std::abs(value));
    Row q(x.size());
    for (size_t i = 0; i < x.size(); ++i) q[i] = std::nearbyint(x[i] * 127 / most);
    const auto& weight = tiny_.ternary.at(module);
    Row y(weight.size() / x.size());
    for (size_t r = 0; r < y.size(); ++r) {
      for (size_t c = 0; c < x.size(); ++c) y[r] += q[c] * weight[r * x.size() + c];
      y[r] *= most / 127 * static_cast<double>(tiny_.scales.at(module));
    }
    return y;
  }

  void rotate(Row& x, size_t position) const {
    const auto half = static_cast<size_t>(s_.head_dim / 2);
    for (size_t at = 0; at < x.size(); at += 2 * half) {
      for (size_t i = 0; i < half; ++i) {
        const double angle = static_cast<double>(position) *
                             std::pow(10000.0, -static_cast<double>(i) / static_cast<double>(half));
        const double a = x[at + i];
        const double b = x[at + i + half];
        x[at + i] = a * std::cos(angle) - b * std::sin(angle);
        x[at + i + half] = a * std::sin(angle) + b * std::cos(angle);
      }
    }
  }

  Row part(const Row& x, int64_t head) const {
    const auto begin = x.begin() + head * s_.head_dim;
    return {begin, begin + s_.head_dim};
  }

  /// Attention of one token over keys and values of itself and all before.
  Row attention(const Row& q, const std::vector<Row>& keys, const std::vector<Row>& values) const {
    Row out;
    for (int64_t head = 0; head < s_.heads; ++head) {
      const int64_t kv = head * s_.kv_heads / s_.heads;
      Row weights;
      double total = 0;
      for (const Row& k : keys) {
        const double score = dot(part(q, head), part(k, kv));
        weights.push_back(std::exp(score / std::sqrt(static_cast<double>(s_.head_dim))));
        total += weights.back();
      }
      Row mixed(static_cast<size_t>(s_.head_dim));
      for (size_t p = 0; p < values.size(); ++p) {
        const Row v = part(values[p], kv);
        for (size_t i = 0; i < v.size(); ++i) mixed[i] += weights[p] / total * v[i];
      }
      out.insert(out.end(), mixed.begin(), mixed.end());
    }
    return out;
  }

  void layer(const std::string& at, std::vector<Row>& hidden) const {
    std::vector<Row> keys;
    std::vector<Row> values;
    for (size_t t = 0; t < hidden.size(); ++t) {
      Row& h = hidden[t];
      Row x = norm(h, at + "input_layernorm.weight");
      Row q = bit_linear(x, at + "self_attn.q_proj");
      keys.push_back(bit_linear(x, at + "self_attn.k_proj"));
      values.push_back(bit_linear(x, at + "self_attn.v_proj"));
      rotate(q, t);
      rotate(keys.back(), t);
      const Row mixed = norm(attention(q, keys, values), at + "self_attn.attn_sub_norm.weight");
      add(bit_linear(mixed, at + "self_attn.o_proj"), h);
      x = norm(h, at + "post_attention_layernorm.weight");
      Row gate = bit_linear(x, at + "mlp.gate_proj");
      const Row up = bit_linear(x, at + "mlp.up_proj");
      for (size_t i = 0; i < gate.size(); ++i) {
        gate[i] = std::pow(std::max(gate[i], 0.0), 2) * up[i];
      }
      add(bit_linear(norm(gate, at + "mlp.ffn_sub_norm.weight"), at + "mlp.down_proj"), h);
    }
  }

  static void add(const Row& x, Row& y) {
    for (size_t i = 0; i < x.size(); ++i) y[i] += x[i];
  }

  const TinyModel& tiny_;
  TinySizes s_;
};

void expect_close_to_reference(const TinyModel& tiny, const Ids& tokens) {
  const Loaded loaded(tiny);
  Sequence sequence = loaded.sequence();
  const auto logits = loaded.run(sequence, tokens, LogitsOf::all);
  const auto expected = Reference(tiny).logits(tokens);
  ASSERT_EQ(logits.size(), expected.size());
  // Floats against doubles differ by some 1e-6; where that tips the rounding of an activation to
  // int8, by up to 1e-2. The first is required of most logits, the second of all.
  size_t close = 0;
  for (size_t i = 0; i < logits.size(); ++i) {
    EXPECT_NEAR(logits[i], expected[i], 0.1) << i;
    if (std::abs(static_cast<double>(logits[i]) - expected[i]) < 1e-4) ++close;
  }
  EXPECT_GE(close, logits.size() * 9 / 10);
}

TEST(Forward, MatchesTheReferenceInDouble) {
  expect_close_to_reference(TinyModel(), random_tokens(12));
}

TEST(Forward, MatchesTheReferenceWithOtherShapes) {
  // Queries wider than the hidden state, odd sizes, a head of its own, inverse scales, one KV head.
  const TinySizes sizes = {.hidden = 50,
                           .intermediate = 37,
                           .heads = 3,
                           .kv_heads = 1,
                           .head_dim = 22,
                           .tied = false,
                           .divide = true};
  expect_close_to_reference(TinyModel(sizes, 5), random_tokens(12));
}

TEST(Forward, PrefillEqualsTokenByToken) {
  const Loaded loaded{TinyModel()};
  const Ids tokens = random_tokens(75);
  Sequence whole = loaded.sequence();
  const auto all = loaded.run(whole, tokens, LogitsOf::all);
  Sequence single = loaded.sequence();
  std::vector<float> each;
  for (const int32_t& token : tokens) {
    const auto logits = loaded.run(single, {&token, 1});
    each.insert(each.end(), logits.begin(), logits.end());
  }
  EXPECT_EQ(all, each);
  EXPECT_EQ(whole.length, 75);
}

TEST(Forward, ThreadsDoNotChangeBits) {
  const TinyModel tiny;
  const Ids tokens = random_tokens(33);
  std::vector<std::vector<float>> results;
  for (const int threads : {1, 2, 3}) {
    const Loaded loaded(tiny, threads);
    Sequence sequence = loaded.sequence();
    results.push_back(loaded.run(sequence, tokens, LogitsOf::all));
  }
  EXPECT_EQ(results[0], results[1]);
  EXPECT_EQ(results[0], results[2]);
}

TEST(Forward, TilesDoNotChangeBits) {
  const Loaded loaded(TinyModel({.layers = 1}), 2);
  const Ids tokens = random_tokens(static_cast<size_t>(2 * kTile + 5));
  const std::span<const int32_t> all = tokens;
  Sequence whole = loaded.sequence();
  const auto expected = loaded.run(whole, all, LogitsOf::all);
  Sequence parts = loaded.sequence();
  constexpr size_t kFirst = kTile + 100;
  EXPECT_TRUE(loaded.run(parts, all.first(kFirst), LogitsOf::none).empty());
  const auto rest = loaded.run(parts, all.subspan(kFirst), LogitsOf::all);
  EXPECT_TRUE(std::equal(rest.begin(), rest.end(), expected.begin() + ptrdiff_t{kFirst} * 48));
  Sequence last = loaded.sequence();
  const auto logits = loaded.run(last, all);
  EXPECT_TRUE(std::equal(logits.begin(), logits.end(), expected.end() - 48));
}

TEST(Forward, ShorterSequenceForgets) {
  const Loaded loaded{TinyModel()};
  const Ids tokens = random_tokens(10);
  Sequence sequence = loaded.sequence();
  const auto expected = loaded.run(sequence, tokens);
  const Ids other = {1, 2, 3};
  loaded.run(sequence, other);
  sequence.length = 9;
  EXPECT_EQ(loaded.run(sequence, {&tokens[9], 1}), expected);
}

TEST(Forward, FillsTheCacheToItsEnd) {
  const Loaded loaded{TinyModel()};
  Sequence sequence = loaded.sequence(4);
  Sequence roomy = loaded.sequence();
  const Ids tokens = random_tokens(4);
  EXPECT_EQ(loaded.run(sequence, tokens), loaded.run(roomy, tokens));
  EXPECT_EQ(sequence.length, 4);
}

}  // namespace
}  // namespace rsr::model
