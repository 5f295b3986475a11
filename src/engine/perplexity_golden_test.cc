// Perplexity of the golden models (tests/golden/models) against that of transformers' logits.
#include "rsr/perplexity.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "engine/tiny_engine.h"
#include "io/safetensors.h"

namespace rsr {
namespace {

using nlohmann::json;

/// A golden model with a tokenizer that writes id 17 as "<17>".
class GoldenPerplexity : public testing::TestWithParam<std::string> {
 protected:
  GoldenPerplexity()
      : golden_(json::parse(std::ifstream(source_ + "/golden.json"))),
        file_(io::SafetensorsFile::open(source_ + "/golden.safetensors").value()) {
    std::filesystem::copy(source_, directory_.path(),
                          std::filesystem::copy_options::recursive |
                              std::filesystem::copy_options::overwrite_existing);
    const json config = json::parse(std::ifstream(source_ + "/config.json"));
    json added = json::array();
    for (int id = 0; id < config["vocab_size"]; ++id) {
      added.push_back({{"id", id},
                       {"content", name(id)},
                       {"special", false},
                       {"normalized", false},
                       {"single_word", false},
                       {"lstrip", false},
                       {"rstrip", false}});
    }
    const json tokenizer = {
        {"added_tokens", added},
        {"model", {{"type", "BPE"}, {"vocab", json::object()}, {"merges", json::array()}}},
        {"decoder", {{"type", "ByteLevel"}}}};
    std::ofstream(directory_.file("tokenizer.json")) << tokenizer.dump();
  }

  static std::string name(int id) { return "<" + std::to_string(id) + ">"; }

  std::string source_ = RSR_SOURCE_DIR "/tests/golden/models/" + GetParam();
  json golden_;
  io::SafetensorsFile file_;
  TempDirectory directory_;
};

TEST_P(GoldenPerplexity, IsThatOfTheLibrarysLogits) {
  const json& prompt = golden_["prompts"][2];
  const Ids ids = prompt["ids"];
  ASSERT_EQ(prompt["positions"], (json{0, 1, 2, 3}));
  const auto logits =
      io::to_floats(file_.tensors().at(prompt["logits"].get<std::string>())).value();
  const size_t vocab = logits.size() / ids.size();
  double wanted = 0;
  std::string text = name(ids[0]);
  for (size_t i = 1; i < ids.size(); ++i) {
    double sum = 0;
    for (size_t t = 0; t < vocab; ++t) sum += std::exp(logits[(i - 1) * vocab + t]);
    wanted += (std::log(sum) - logits[(i - 1) * vocab + static_cast<size_t>(ids[i])]) / 3;
    text += name(ids[i]);
  }
  const Engine engine =
      Engine::open(directory_.path(), {.context = {.threads = 2}, .kv_cache = KvCacheType::f32})
          .value();
  const Perplexity result = perplexity(engine, text).value();
  EXPECT_EQ(result.predicted_tokens, 3);
  // No logit is further off than the tolerance, so neither is -ln p by more than twice that.
  EXPECT_NEAR(result.mean_nll, wanted, 2 * prompt["tolerances"][0].get<double>());
}

INSTANTIATE_TEST_SUITE_P(Models, GoldenPerplexity,
                         testing::Values("bitnet_packed", "bitnet_masters", "bitlinear_llama3",
                                         "bitlinear_head80", "bitlinear_rms_norm",
                                         "bitlinear_sharded", "trilm", "dense_bf16", "rope_llama3"),
                         [](const auto& model) { return std::string(model.param); });

}  // namespace
}  // namespace rsr
