#include "model/synthetic.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <cmath>
#include <new>
#include <random>
#include <utility>

#include "base/check.h"
#include "linear/random_weight.h"
#include "model/attention.h"

namespace rsr::model {
namespace {

using linear::RandomWeight;

constexpr int64_t kRowsPerSeed = 1024;

/// What the files of these models say. Two types: BitNet, with sub norms, relu2 and a tied head,
/// and Llama.
struct Shape {
  const char* name;
  int64_t hidden, intermediate, layers, heads, kv_heads, head_dim, vocab, positions;
  double theta;
  float norm_eps;
  bool is_bitnet;
};
constexpr Shape kShapes[] = {
    {"bitnet-2b", 2560, 6912, 30, 20, 5, 128, 128256, 4096, 500000, 1e-5F, true},
    {"llama3-8b", 4096, 14336, 32, 32, 8, 128, 128256, 8192, 500000, 1e-5F, false},
    {"falcon3-10b", 3072, 23040, 40, 12, 4, 256, 131072, 32768, 1000042, 1e-6F, false},
    {"falcon3-1b", 2048, 8192, 18, 8, 4, 256, 131072, 8192, 1000042, 1e-6F, false},
};

ModelConfig config_of(const Shape& shape) {
  ModelConfig config;
  config.model_type = shape.is_bitnet ? "bitnet" : "llama";
  config.vocab_size = shape.vocab;
  config.hidden_size = shape.hidden;
  config.intermediate_size = shape.intermediate;
  config.num_layers = shape.layers;
  config.num_heads = shape.heads;
  config.num_kv_heads = shape.kv_heads;
  config.head_dim = shape.head_dim;
  config.max_positions = shape.positions;
  config.rms_norm_eps = shape.norm_eps;
  config.rope.theta = shape.theta;
  config.activation = shape.is_bitnet ? Activation::relu2 : Activation::silu;
  config.has_sub_norms = shape.is_bitnet;
  config.tied_head = shape.is_bitnet;
  return config;
}

RandomWeight random_projection(const ModelConfig& config, Projection projection, base::Isa isa) {
  const auto [rows, cols] = projection_shape(config, projection);
  return {.rows = rows, .cols = cols, .inputs = Inputs::int8, .isa = isa};
}

std::vector<float> ones(int64_t size) {
  return std::vector<float>(static_cast<size_t>(size), 1.0F);
}

LayerWeights random_layer(const ModelConfig& config, base::Isa isa, uint64_t seed) {
  LayerWeights layer;
  layer.input_norm = ones(config.hidden_size);
  layer.attention_norm = ones(config.hidden_size);
  if (config.has_sub_norms) {
    layer.attn_sub_norm = ones(config.q_dim());
    layer.ffn_sub_norm = ones(config.intermediate_size);
  }
  for (const Projection projection : kProjections) {
    RandomWeight wanted = random_projection(config, projection, isa);
    wanted.seed = seed * kProjections.size() + static_cast<uint64_t>(projection);
    layer.projections.push_back({.matrix = Int8Ternary{linear::random_weight(wanted)}});
  }
  return layer;
}

Status make_layers(Context::Impl& context, uint64_t seed, Model* model) {
  model->layers.resize(static_cast<size_t>(model->config.num_layers));
  std::atomic<bool> full = false;
  context.pool.parallel_for(model->config.num_layers, [&](base::Range range) {
    try {  // nothing may be thrown through the pool
      for (auto i = static_cast<size_t>(range.begin); i < static_cast<size_t>(range.end); ++i) {
        model->layers[i] = random_layer(model->config, context.isa, seed + i);
      }
    } catch (const std::bad_alloc&) {
      full = true;
    }
  });
  return full ? Status(ErrorCode::limit_exceeded, "out of memory") : Status();
}

/// bf16 numbers, uniform around 0 with a variance of 1 / cols: a product with a state is then
/// about 1.
DenseTable random_table(Context::Impl& context, int64_t rows, int64_t cols, uint64_t seed) {
  DenseTable table;
  table.copy = base::AlignedArray<uint16_t>(static_cast<size_t>(rows * cols));
  const float step = std::sqrt(3.0F / static_cast<float>(cols)) / 32768.0F;
  const int64_t blocks = (rows + kRowsPerSeed - 1) / kRowsPerSeed;
  context.pool.parallel_for(blocks, [&](base::Range range) {
    for (int64_t block = range.begin; block < range.end; ++block) {
      std::mt19937_64 random(seed + static_cast<uint64_t>(block));
      uint16_t* out = table.copy.data() + block * kRowsPerSeed * cols;
      const int64_t count = std::min(kRowsPerSeed, rows - block * kRowsPerSeed) * cols;
      uint64_t bits = 0;
      for (int64_t i = 0; i < count; ++i) {
        bits = i % 4 == 0 ? random() : bits >> 16;
        const float value = step * static_cast<float>(static_cast<int16_t>(bits & 0xffffU));
        out[i] = static_cast<uint16_t>(std::bit_cast<uint32_t>(value) >> 16);
      }
    }
  });
  table.view = {.weight = table.copy.data(), .rows = rows, .cols = cols};
  return table;
}

std::vector<float> random_numbers(size_t count) {
  std::mt19937 random(1);
  std::uniform_real_distribution<float> uniform(-1.7F, 1.7F);  // a variance of about 1
  std::vector<float> values(count);
  for (float& value : values) value = uniform(random);
  return values;
}

}  // namespace

std::vector<std::string> shape_names() {
  std::vector<std::string> names;
  for (const Shape& shape : kShapes) names.emplace_back(shape.name);
  return names;
}

Result<ModelConfig> shape_config(const std::string& name) {
  for (const Shape& shape : kShapes) {
    if (name == shape.name) return config_of(shape);
  }
  return base::error(ErrorCode::invalid_argument, "no shape is called \"", name, "\"");
}

int64_t synthetic_bytes(const ModelConfig& config, base::Isa isa) {
  int64_t layer = 0;
  for (const Projection projection : kProjections) {
    layer += linear::random_weight_bytes(random_projection(config, projection, isa));
  }
  const int64_t table = config.vocab_size * config.hidden_size * 2;
  return config.num_layers * layer + (config.tied_head ? 1 : 2) * table;
}

Result<Model> synthetic_model(Context::Impl& context, const ModelConfig& config, uint64_t seed) {
  try {
    Model model{.config = config, .store = io::TensorStore::empty()};
    RSR_RETURN_IF_ERROR(make_layers(context, seed, &model));
    model.final_norm = ones(config.hidden_size);
    model.embedding = random_table(context, config.vocab_size, config.hidden_size, seed + 1);
    if (config.tied_head) {
      model.head.view = model.embedding.view;
    } else {
      // The seeds of blocks follow each other: far from those of the embedding.
      model.head = random_table(context, config.vocab_size, config.hidden_size, seed + (1U << 20));
    }
    model.rope_frequencies = rope_frequencies(config.rope, config.head_dim);
    return model;
  } catch (const std::bad_alloc&) {
    return base::error(ErrorCode::limit_exceeded, "out of memory");
  }
}

void fill_history(Context::Impl& context, const ModelConfig& config, Sequence* sequence,
                  int64_t length) {
  RSR_CHECK_OP(length, <=, sequence->cache.positions());
  const std::vector<float> keys = random_numbers(static_cast<size_t>(kTile * config.kv_dim()));
  for (int64_t start = 0; start < length; start += kTile) {
    const int64_t batch = std::min(kTile, length - start);
    for (int64_t layer = 0; layer < config.num_layers; ++layer) {
      append(context, config, sequence->cache, {layer, start, batch}, keys.data(), keys.data());
    }
  }
  sequence->length = length;
}

}  // namespace rsr::model
