#include "model/weights.h"

#include <gtest/gtest.h>

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
    for (const Weight& weight : each.projections) packed += weight.nbytes();
  }
  EXPECT_EQ(model.weight_bytes(), packed + 48 * 64 * 2 + 4 * (64 + 2 * (64 + 64 + 64 + 96)));
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
  tiny.tensors["model.embed_tokens.weight"].dtype = "F16";
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

TEST(Weights, NamesTheTensorThatIsNotFinite) {
  const std::string infinity("\x80\x7f", 2);
  TinyModel tiny;
  tiny.tensors["model.embed_tokens.weight"].bytes.replace(2 * 64 * 7, 2, infinity);
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
