#include "model/weights.h"

#include <gtest/gtest.h>

#include <cmath>

#include "model/tiny_model.h"

namespace rsr::model {
namespace {

constexpr const char* kQ = "model.layers.1.self_attn.q_proj";

/// The status of loading what `tiny` writes.
Status load_status(const TinyModel& tiny) {
  const TempDirectory directory;
  tiny.write(directory.path());
  const Context context = Context::create({.threads = 2}).value();
  return load_model(context.impl(), directory.path()).status();
}

void expect_error(const TinyModel& tiny, ErrorCode code, const std::string& part) {
  const Status status = load_status(tiny);
  EXPECT_EQ(status.code(), code) << status.message();
  EXPECT_NE(status.message().find(part), std::string::npos) << status.message();
}

TEST(Weights, LoadsEverything) {
  const TinyModel tiny;
  const TempDirectory directory;
  tiny.write(directory.path());
  const Context context = Context::create({.threads = 2}).value();
  const Model model = load_model(context.impl(), directory.path()).value();
  ASSERT_EQ(model.layers.size(), 2u);
  const LayerWeights& layer = model.layers[1];
  EXPECT_EQ(layer.at(Projection::k).rows(), 32);
  EXPECT_EQ(layer.at(Projection::k).cols(), 64);
  EXPECT_EQ(layer.at(Projection::down).rows(), 64);
  EXPECT_EQ(layer.at(Projection::down).cols(), 96);
  EXPECT_EQ(layer.ffn_sub_norm, tiny.floats.at("model.layers.1.mlp.ffn_sub_norm.weight"));
  EXPECT_EQ(model.final_norm, tiny.floats.at("model.norm.weight"));
  EXPECT_EQ(model.head.view.weight, model.embedding.view.weight);
  EXPECT_EQ(model.embedding.bytes(), 48 * 64 * 2);
  int64_t packed = 0;
  for (const LayerWeights& each : model.layers) {
    for (const Linear& linear : each.projections) packed += linear.bytes();
  }
  EXPECT_EQ(model.weight_bytes(),
            packed + int64_t{48} * 64 * 2 + int64_t{4} * (64 + 2 * (64 + 64 + 64 + 96)));
}

TEST(Weights, HeadOfItsOwn) {
  EXPECT_TRUE(load_status(TinyModel({.tied = false})).ok());
  TinyModel tiny({.tied = false});
  tiny.tensors.erase("lm_head.weight");
  expect_error(tiny, ErrorCode::not_found, "lm_head.weight");
}

TEST(Weights, EmbeddingAtAnOddAddress) {
  TinyModel tiny;
  tiny.tensors["a.rotary_emb.inv_freq"] = {"U8", {1}, "x"};  // harmless, and moves all others by 1
  EXPECT_TRUE(load_status(tiny).ok());
}

TEST(Weights, NamesTheMissingTensor) {
  for (const char* name : {"model.layers.1.self_attn.q_proj.weight", "model.norm.weight",
                           "model.layers.0.mlp.down_proj.weight_scale",
                           "model.layers.0.self_attn.attn_sub_norm.weight"}) {
    TinyModel tiny;
    tiny.tensors.erase(name);
    expect_error(tiny, ErrorCode::not_found, name);
  }
}

TEST(Weights, NamesTheUnexpectedTensor) {
  TinyModel tiny;
  tiny.tensors["model.layers.0.self_attn.q_proj.bias"] = {"U8", {1}, "x"};
  expect_error(tiny, ErrorCode::unsupported, "model.layers.0.self_attn.q_proj.bias");
}

TEST(Weights, ALayerTooManyIsNamed) {
  TinyModel tiny;
  tiny.config["num_hidden_layers"] = 1;
  expect_error(tiny, ErrorCode::unsupported, "tensor model.layers.1.");
}

TEST(Weights, NamesTheTensorOfWrongShapeOrType) {
  TinyModel tiny;
  tiny.config["intermediate_size"] = 100;
  expect_error(tiny, ErrorCode::corrupt_data, "model.layers.0.mlp.ffn_sub_norm.weight");
  tiny = TinyModel();
  tiny.tensors[std::string(kQ) + ".weight"].dtype = "I8";
  expect_error(tiny, ErrorCode::corrupt_data, std::string(kQ) + ".weight");
  tiny = TinyModel();
  tiny.tensors["model.embed_tokens.weight"].dtype = "I16";
  expect_error(tiny, ErrorCode::unsupported, "model.embed_tokens.weight");
  tiny = TinyModel();
  tiny.tensors[std::string(kQ) + ".weight_scale"] = {"F32", {2}, std::string(8, '\0')};
  expect_error(tiny, ErrorCode::corrupt_data, std::string(kQ) + ".weight_scale");
}

TEST(Weights, NamesTheTensorWithAnInvalidCode) {
  TinyModel tiny;
  tiny.tensors[std::string(kQ) + ".weight"].bytes[70] = '\x0c';  // code 3
  expect_error(tiny, ErrorCode::corrupt_data, std::string(kQ) + ".weight");
}

/// The tiny model as a Llama without quantization_config, its projections in f32: the ternary
/// values times `scale`, exactly.
TinyModel float_llama(float scale) {
  TinyModel tiny;
  tiny.config["model_type"] = "llama";
  tiny.config["hidden_act"] = "silu";
  tiny.config.erase("quantization_config");
  for (const auto& [module, values] : tiny.ternary) {
    std::string bytes;
    for (const int8_t value : values) {
      const float stored = static_cast<float>(value) * scale;
      bytes.append(reinterpret_cast<const char*>(&stored), sizeof stored);
    }
    const int64_t cols = tiny.tensors[module + ".weight"].shape[1];
    const auto rows = static_cast<int64_t>(values.size()) / cols;
    tiny.tensors[module + ".weight"] = {"F32", {rows, cols}, bytes};
    tiny.tensors.erase(module + ".weight_scale");
  }
  std::erase_if(tiny.tensors, [](const auto& tensor) {
    return tensor.first.find("sub_norm") != std::string::npos;
  });
  return tiny;
}

/// One number of a projection of layer 1.
void set_float(TinyModel& tiny, size_t index, float value) {
  tiny.tensors[std::string(kQ) + ".weight"].bytes.replace(
      index * sizeof value, sizeof value, reinterpret_cast<const char*>(&value), sizeof value);
}

TEST(Weights, FloatsThatAreTernaryAreFoundMatrixByMatrix) {
  TinyModel tiny = float_llama(0.1f);  // no 16-bit number, but a scale
  for (size_t i = 0; i < 64; ++i) set_float(tiny, i, static_cast<float>(i));
  expect_error(tiny, ErrorCode::unsupported, std::string(kQ) + ".weight: is f32 [64, 64]");
  tiny = float_llama(0.125f);
  for (size_t i = 0; i < 64; ++i) set_float(tiny, i, static_cast<float>(i));
  const TempDirectory directory;
  tiny.write(directory.path());
  const Context context = Context::create({.threads = 2}).value();
  const Model model = load_model(context.impl(), directory.path()).value();
  int dense = 0;
  int64_t bytes = int64_t{48} * 64 * 2 + int64_t{4} * 64 * (2 * 2 + 1);
  for (const LayerWeights& layer : model.layers) {
    for (const Linear& linear : layer.projections) {
      dense += linear.is_dense() ? 1 : 0;
      bytes += linear.bytes();
      const std::string kernel = linear.explain_kernel(context.impl());
      EXPECT_TRUE(kernel.starts_with(linear.is_dense() ? "dense_bf16_f32_" : "matvec_t"));
    }
  }
  EXPECT_EQ(dense, 1);
  EXPECT_TRUE(model.layers[1].at(Projection::q).is_dense());
  EXPECT_EQ(model.layers[1].at(Projection::q).bytes(), int64_t{64} * 64 * 2);
  EXPECT_EQ(model.weight_bytes(), bytes);
}

TEST(Weights, DenseProjectionsMustBeFinite) {
  TinyModel tiny = float_llama(0.125f);
  set_float(tiny, 64 * 9, INFINITY);
  expect_error(tiny, ErrorCode::corrupt_data, std::string(kQ) + ".weight: row 9");
}

TEST(Weights, PackedWeightsNeedSomethingThatExplainsTheirScales) {
  TinyModel tiny({.divide = true});
  const TinyModel llama = float_llama(1);
  std::erase_if(tiny.tensors, [&](const auto& tensor) {
    return tensor.first.find("sub_norm") != std::string::npos;
  });
  tiny.config = llama.config;
  expect_error(tiny, ErrorCode::unsupported, "weight_scale");
  tiny.config["is_bitnet_config"] = true;
  EXPECT_TRUE(load_status(tiny).ok());
}

TEST(Weights, FloatsWherePackedWeightsAreToBe) {
  TinyModel tiny;
  const TinyModel llama = float_llama(1);
  const std::string name = std::string(kQ) + ".weight";
  tiny.tensors[name] = llama.tensors.at(name);
  expect_error(tiny, ErrorCode::corrupt_data, name + ": is f32 [64, 64]");
  // As a master it may not have a scale; with another list it stays what it is.
  tiny.config["quantization_config"]["quantization_mode"] = "online";
  expect_error(tiny, ErrorCode::unsupported, std::string(kQ) + ".weight_scale");
  tiny.tensors.erase(std::string(kQ) + ".weight_scale");
  EXPECT_TRUE(load_status(tiny).ok());
  tiny.config["quantization_config"]["quantization_mode"] = "offline";
  tiny.config["quantization_config"]["modules_to_not_convert"] = {"lm_head", kQ};
  EXPECT_TRUE(load_status(tiny).ok());
}

TEST(Weights, NormsOfLinears) {
  TinyModel tiny;
  tiny.config["quantization_config"]["use_rms_norm"] = true;
  expect_error(tiny, ErrorCode::not_found, "model.layers.0.self_attn.q_proj.rms_norm.weight");
  for (const auto& [module, scale] : tiny.scales) {
    const int64_t cols = tiny.tensors[module + ".weight"].shape[1];
    tiny.tensors[module + ".rms_norm.weight"] = {
        "BF16", {cols}, std::string(static_cast<size_t>(2 * cols), '\x3f')};
  }
  EXPECT_TRUE(load_status(tiny).ok());
  tiny.config["quantization_config"]["use_rms_norm"] = false;
  expect_error(tiny, ErrorCode::unsupported, "rms_norm.weight");
}

TEST(Weights, HeadUnderItsOtherName) {
  TinyModel tiny({.tied = false});
  tiny.tensors["model.lm_head.weight"] = tiny.tensors["lm_head.weight"];
  tiny.tensors.erase("lm_head.weight");
  EXPECT_TRUE(load_status(tiny).ok());
}

TEST(Weights, NamesTheTensorThatIsNotFinite) {
  const std::string infinity("\x80\x7f", 2);
  TinyModel tiny;
  tiny.tensors["model.embed_tokens.weight"].bytes.replace(size_t{2} * 64 * 7, 2, infinity);
  expect_error(tiny, ErrorCode::corrupt_data, "model.embed_tokens.weight: row 7");
  tiny = TinyModel();
  tiny.tensors["model.norm.weight"].bytes.replace(0, 2, infinity);
  expect_error(tiny, ErrorCode::corrupt_data, "model.norm.weight");
}

TEST(Weights, RefusesScalesThatAreNone) {
  for (const bool divide : {false, true}) {
    for (const int bits : {0x0000, 0x7f80, 0x7fc0, 0xbf80}) {  // 0, infinity, NaN, -1
      TinyModel tiny({.divide = divide});
      std::string& bytes = tiny.tensors[std::string(kQ) + ".weight_scale"].bytes;
      bytes = {static_cast<char>(bits & 0xff), static_cast<char>(bits >> 8)};
      expect_error(tiny, ErrorCode::corrupt_data, std::string(kQ) + ".weight_scale");
    }
  }
}

}  // namespace
}  // namespace rsr::model
