#include "model/config.h"

#include <gtest/gtest.h>

#include "model/tiny_model.h"

namespace rsr::model {
namespace {

using base::Json;

Json good() {
  Json json = TinyModel({.vocab = 8, .layers = 1}).config;
  json["bos_token_id"] = 1;
  json["eos_token_id"] = 2;
  return json;
}

TEST(Config, ReadsEveryField) {
  const ModelConfig config = parse_config(good()).value();
  EXPECT_EQ(config.model_type, "bitnet");
  EXPECT_EQ(config.vocab_size, 8);
  EXPECT_EQ(config.hidden_size, 64);
  EXPECT_EQ(config.intermediate_size, 96);
  EXPECT_EQ(config.num_layers, 1);
  EXPECT_EQ(config.q_dim(), 64);
  EXPECT_EQ(config.kv_dim(), 32);
  EXPECT_EQ(config.max_positions, 1200);
  EXPECT_EQ(config.rope.theta, 10000.0);
  EXPECT_FLOAT_EQ(config.rms_norm_eps, 1e-5f);
  EXPECT_EQ(config.quantization.scale_rule, ScaleRule::multiply);
  EXPECT_EQ(config.quantization.float_weights, FloatWeights::refused);
  EXPECT_FALSE(config.quantization.linear_norms);
  EXPECT_EQ(config.activation, Activation::relu2);
  EXPECT_TRUE(config.has_sub_norms);
  EXPECT_TRUE(config.tied_head);
  EXPECT_EQ(config.bos_token_id, 1);
  EXPECT_EQ(config.eos_token_ids, std::vector<int32_t>{2});
}

TEST(Config, FillsInWhatTheFormatLeavesOpen) {
  Json json = good();
  json.erase("head_dim");
  json.erase("num_key_value_heads");
  json.erase("tie_word_embeddings");
  json["quantization_config"] = {{"quant_method", "bitnet"}};
  json["eos_token_id"] = {2, 3};
  const ModelConfig config = parse_config(json).value();
  EXPECT_EQ(config.head_dim, 16);
  EXPECT_EQ(config.num_kv_heads, 4);
  EXPECT_FALSE(config.tied_head);
  EXPECT_EQ(config.quantization.scale_rule, ScaleRule::divide);
  EXPECT_EQ(config.eos_token_ids, (std::vector<int32_t>{2, 3}));
}

TEST(Config, FindsRopeThetaInRopeParameters) {
  Json json = good();
  json.erase("rope_theta");
  json["rope_parameters"] = {{"rope_type", "default"}, {"rope_theta", 500000.0}};
  EXPECT_EQ(parse_config(json)->rope.theta, 500000.0);
  json["rope_theta"] = 10000.0;
  EXPECT_FALSE(parse_config(json).ok());
}

TEST(Config, Llama) {
  Json json = good();
  json["model_type"] = "llama";
  json["hidden_act"] = "silu";
  json.erase("quantization_config");
  ModelConfig config = parse_config(json).value();
  EXPECT_EQ(config.activation, Activation::silu);
  EXPECT_FALSE(config.has_sub_norms);
  EXPECT_EQ(config.quantization.float_weights, FloatWeights::as_stored);
  EXPECT_FALSE(config.quantization.scale_rule.has_value());
  json["is_bitnet_config"] = true;
  EXPECT_EQ(parse_config(json)->quantization.scale_rule, ScaleRule::divide);
  json["quantization_config"] = {{"quant_method", "bitnet"}, {"modules_to_not_convert", nullptr}};
  config = parse_config(json).value();
  EXPECT_EQ(config.quantization.scale_rule, ScaleRule::divide);
  EXPECT_EQ(config.quantization.float_weights, FloatWeights::refused);
}

/// The patched quantization_config of a good model, as it is understood.
Quantization quantization(const Json& patch) {
  Json json = good();
  json["quantization_config"].merge_patch(patch);
  return parse_config(json).value().quantization;
}

TEST(Config, Quantization) {
  EXPECT_EQ(quantization({{"quantization_mode", "online"}}).float_weights, FloatWeights::masters);
  EXPECT_EQ(
      quantization({{"quantization_mode", "online"}, {"linear_class", "bitlinear"}}).float_weights,
      FloatWeights::refused);
  EXPECT_EQ(quantization({{"use_rms_norm", true}}).linear_norm_eps, 1e-6f);
  const Quantization norms = quantization({{"use_rms_norm", true}, {"rms_norm_eps", 1e-3}});
  EXPECT_TRUE(norms.linear_norms);
  EXPECT_EQ(norms.linear_norm_eps, 1e-3f);
}

TEST(Config, ModulesThatStayAsTheyAre) {
  const Json names = {"lm_head", "down_proj", "model.layers.1"};
  const Quantization some = quantization({{"modules_to_not_convert", names}});
  EXPECT_TRUE(some.keeps("lm_head"));
  EXPECT_TRUE(some.keeps("model.layers.0.mlp.down_proj"));
  EXPECT_TRUE(some.keeps("model.layers.1.mlp.up_proj"));
  EXPECT_FALSE(some.keeps("model.layers.10.mlp.up_proj"));
  EXPECT_FALSE(some.keeps("model.layers.0.self_attn.q_proj"));
}

struct Refusal {
  Json patch;
  std::string message;  // a part of it
};

class ConfigRefusal : public testing::TestWithParam<Refusal> {};

TEST_P(ConfigRefusal, NamesKeyAndValue) {
  Json json = good();
  json.merge_patch(GetParam().patch);
  const auto config = parse_config(json);
  ASSERT_FALSE(config.ok());
  EXPECT_NE(config.status().message().find(GetParam().message), std::string::npos)
      << config.status().message();
}

INSTANTIATE_TEST_SUITE_P(
    All, ConfigRefusal,
    testing::Values(
        Refusal{{{"model_type", "gpt2"}}, R"("model_type": "gpt2" is not supported)"},
        Refusal{{{"model_type", nullptr}}, R"("model_type" is missing)"},
        Refusal{{{"hidden_act", "gelu"}}, R"("hidden_act": "gelu" is not supported)"},
        Refusal{{{"attention_bias", true}}, R"("attention_bias": true)"},
        Refusal{{{"mlp_bias", true}}, R"("mlp_bias": true)"},
        Refusal{{{"rope_scaling", {{"type", "dynamic"}, {"factor", 2}}}}, R"(type "dynamic")"},
        Refusal{{{"rope_parameters", {{"rope_type", "yarn"}}}}, R"(type "yarn")"},
        Refusal{{{"partial_rotary_factor", 0.5}}, "partial_rotary_factor"},
        Refusal{{{"rope_theta", nullptr}}, R"("rope_theta" is 0)"},
        Refusal{{{"rope_theta", "big"}}, R"("rope_theta" must be a number)"},
        Refusal{{{"quantization_config", nullptr}}, R"("quantization_config" is missing)"},
        Refusal{{{"quantization_config", {{"quant_method", "gptq"}}}}, R"("gptq")"},
        Refusal{{{"quantization_config", {{"quantization_mode", "later"}}}}, R"("later")"},
        Refusal{{{"quantization_config", {{"linear_class", "other"}}}}, R"("other")"},
        Refusal{{{"quantization_config", {{"rms_norm_eps", 2}}}}, R"("rms_norm_eps" of)"},
        Refusal{{{"quantization_config", {{"modules_to_not_convert", "all"}}}}, "is no list"},
        Refusal{{{"quantization_config", {{"modules_to_not_convert", {1}}}}}, "1 is no name"},
        Refusal{{{"hidden_size", 0}}, R"("hidden_size" is 0)"},
        Refusal{{{"hidden_size", -64}}, R"("hidden_size" is -64)"},
        Refusal{{{"hidden_size", 64.5}}, R"("hidden_size" must be an integer)"},
        Refusal{{{"vocab_size", 1LL << 40}}, R"("vocab_size" is 1099511627776)"},
        Refusal{{{"vocab_size", nullptr}}, R"("vocab_size" is missing)"},
        Refusal{{{"num_hidden_layers", 5000}}, R"("num_hidden_layers" is 5000)"},
        Refusal{{{"num_key_value_heads", 3}}, R"(not a multiple of "num_key_value_heads" 3)"},
        Refusal{{{"head_dim", 15}}, "head dimension is 15"},
        Refusal{{{"head_dim", nullptr}, {"hidden_size", 66}}, "not a multiple"},
        Refusal{{{"rms_norm_eps", -1.0}}, R"("rms_norm_eps" is -1)"},
        Refusal{{{"rms_norm_eps", nullptr}}, R"("rms_norm_eps" is 0)"},
        Refusal{{{"eos_token_id", "two"}}, R"("eos_token_id": "two" is no token id)"},
        Refusal{{{"eos_token_id", {1, -1}}}, R"("eos_token_id": -1 is no token id)"}));

TEST(Config, NamesTheFile) {
  const TempDirectory directory;
  EXPECT_EQ(read_config(directory.path()).status().code(), ErrorCode::not_found);
  std::ofstream(directory.file("config.json")) << R"({"model_type": "mamba"})";
  const Status status = read_config(directory.path()).status();
  EXPECT_EQ(status.code(), ErrorCode::unsupported);
  EXPECT_TRUE(status.message().starts_with(directory.file("config.json"))) << status.message();
}

}  // namespace
}  // namespace rsr::model
