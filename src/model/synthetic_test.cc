// Models of random weights: valid, the same for the same seed, and with finite states.
#include "model/synthetic.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "linear/weight.h"
#include "matrix/check_packed.h"

namespace rsr::model {
namespace {

/// A shape made small; odd sizes, so that padding is met.
ModelConfig small(const char* name) {
  ModelConfig config = shape_config(name).value();
  config.vocab_size = 1100;
  config.hidden_size = 100;
  config.intermediate_size = 212;
  config.num_layers = 3;
  config.num_heads = 6;
  config.num_kv_heads = 2;
  config.head_dim = 20;
  config.max_positions = 700;
  return config;
}

const matrix::Packed& packed_of(const Linear& linear) {
  const Weight& weight = std::get<Int8Ternary>(linear.matrix).weight;
  return std::get<matrix::Packed>(weight.impl().packed);
}

std::vector<float> logits_of(const ModelConfig& config, int threads, uint64_t seed) {
  const Context context = Context::create({.threads = threads}).value();
  const Model model = synthetic_model(context.impl(), config, seed).value();
  Sequence sequence(KvCache::create(config, 600).value());
  fill_history(context.impl(), config, &sequence, 550);
  const std::vector<int32_t> tokens = {0, 1, 2, 1099};
  const auto logits = forward(context.impl(), model, sequence, tokens);
  return {logits.begin(), logits.end()};
}

TEST(Synthetic, WeightsAreValidAndOfTheSizeForeseen) {
  const Context context = Context::create({.threads = 2}).value();
  for (const char* name : {"bitnet-2b", "falcon3-1b"}) {
    const ModelConfig config = small(name);
    const Model model = synthetic_model(context.impl(), config, 1).value();
    int64_t bytes = model.embedding.bytes() + (config.tied_head ? 0 : model.head.bytes());
    for (const LayerWeights& layer : model.layers) {
      for (const Projection projection : kProjections) {
        const Linear& linear = layer.at(projection);
        EXPECT_EQ(std::pair(linear.rows(), linear.cols()), projection_shape(config, projection));
        EXPECT_TRUE(matrix::check_packed(packed_of(linear)).ok());
        bytes += packed_of(linear).nbytes();
      }
    }
    EXPECT_EQ(bytes, synthetic_bytes(config, context.impl().isa));
    EXPECT_EQ(first_row_not_finite(model.head.view, {0, config.vocab_size}), -1);
  }
}

TEST(Synthetic, LogitsAreNearOneAndDependOnTheSeedOnly) {
  for (const char* name : {"bitnet-2b", "falcon3-1b"}) {
    const std::vector<float> logits = logits_of(small(name), 1, 1);
    double squares = 0;
    for (const float logit : logits) squares += logit * logit;
    const double size = std::sqrt(squares / static_cast<double>(logits.size()));
    EXPECT_GT(size, 0.5);
    EXPECT_LT(size, 2.0);
    EXPECT_EQ(logits, logits_of(small(name), 2, 1));
    EXPECT_NE(logits, logits_of(small(name), 1, 2));
  }
}

TEST(Synthetic, ShapesAreThoseOfTheModels) {
  struct Known {
    const char* name;
    double parameters;  // billions, of the models' cards
    double megabytes;   // at 2 bits (t2), with 16-bit tables
  };
  for (const auto& [name, parameters, megabytes] :
       {Known{"bitnet-2b", 2.413, 1178}, Known{"llama3-8b", 8.030, 3846},
        Known{"falcon3-10b", 10.306, 3985}, Known{"falcon3-1b", 1.669, 1357}}) {
    const ModelConfig c = shape_config(name).value();
    EXPECT_EQ(c.hidden_size, c.q_dim());
    const double tables = static_cast<double>(c.vocab_size * c.hidden_size) * (c.tied_head ? 1 : 2);
    const auto bytes = static_cast<double>(synthetic_bytes(c, base::Isa::reference));
    EXPECT_NEAR((bytes - 2 * tables) * 4 + tables, parameters * 1e9, 1e6) << name;
    EXPECT_NEAR(bytes / 1e6, megabytes, 1.0) << name;
  }
  EXPECT_EQ(shape_config("gpt").status().code(), ErrorCode::invalid_argument);
}

TEST(Synthetic, TheTimerMissesNothing) {
  const ModelConfig config = small("bitnet-2b");
  const Context context = Context::create({.threads = 1}).value();
  const Model model = synthetic_model(context.impl(), config, 1).value();
  Sequence sequence(KvCache::create(config, 8).value());
  StageTimer timer;
  sequence.scratch.stages = &timer;
  timer.start();
  const std::vector<int32_t> tokens = {1, 2};
  forward(context.impl(), model, sequence, tokens);
  for (const double seconds : timer.seconds()) EXPECT_GT(seconds, 0.0);
}

}  // namespace
}  // namespace rsr::model
