// Models whose logits Hugging Face transformers computed: tests/golden/models/README.md.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "base/json.h"
#include "io/safetensors.h"
#include "linear/head_scan.h"
#include "model/forward.h"
#include "model/tiny_model.h"
#include "model/write_prepared.h"

namespace rsr::model {
namespace {

using Ids = std::vector<int32_t>;

class Golden : public testing::TestWithParam<std::string> {
 protected:
  Golden()
      : golden_(base::read_json(directory_ + "/golden.json", size_t{1} << 20).value()),
        file_(io::SafetensorsFile::open(directory_ + "/golden.safetensors").value()),
        model_(load_model(context_.impl(), directory_).value()) {}

  Sequence sequence() const {
    return Sequence(KvCache::create(model_.config, model_.config.max_positions).value());
  }
  std::span<const float> run(Sequence& sequence, const Ids& ids, LogitsOf which) {
    return forward(context_.impl(), model_, sequence, ids, which);
  }

  std::string directory_ = RSR_SOURCE_DIR "/tests/golden/models/" + GetParam();
  base::Json golden_;
  io::SafetensorsFile file_;
  Context context_ = Context::create({.threads = 2}).value();
  Model model_;
};

/// Largest distance of `ours` from `theirs`.
double worst_error(std::span<const float> ours, std::span<const float> theirs) {
  double worst = 0;
  for (size_t i = 0; i < theirs.size(); ++i) {
    const double error = std::abs(static_cast<double>(ours[i]) - static_cast<double>(theirs[i]));
    worst = std::isnan(error) ? INFINITY : std::max(worst, error);
  }
  return worst;
}

TEST_P(Golden, LogitsAreThoseOfTheLibrary) {
  const auto vocab = static_cast<size_t>(model_.config.vocab_size);
  double worst = 0;  // as a share of the tolerance
  for (const base::Json& prompt : golden_["prompts"]) {
    Ids ids = prompt["ids"];
    const Ids continuation = prompt["continuation"];
    ids.insert(ids.end(), continuation.begin(), continuation.end());
    Sequence all = sequence();
    const auto logits = run(all, ids, LogitsOf::all);
    const auto wanted =
        io::to_floats(file_.tensors().at(prompt["logits"].get<std::string>())).value();
    for (size_t i = 0; i < prompt["positions"].size(); ++i) {
      const size_t position = prompt["positions"][i];
      const double tolerance = prompt["tolerances"][i];
      const double error = worst_error(logits.subspan(position * vocab, vocab),
                                       std::span(wanted).subspan(i * vocab, vocab));
      EXPECT_LE(error, tolerance) << prompt["logits"] << ", position " << position;
      worst = std::max(worst, error / tolerance);
    }
  }
  RecordProperty("worst_share_of_tolerance", std::to_string(worst));
}

TEST_P(Golden, GreedyTokensAreThoseOfTheLibrary) {
  for (const base::Json& prompt : golden_["prompts"]) {
    Ids ids = prompt["ids"];
    Ids generated;
    Sequence growing = sequence();
    while (generated.size() < prompt["continuation"].size()) {
      const auto logits = run(growing, ids, LogitsOf::last);
      const auto best = std::max_element(logits.begin(), logits.end()) - logits.begin();
      ids = {static_cast<int32_t>(best)};
      generated.push_back(ids[0]);
    }
    EXPECT_EQ(generated, prompt["continuation"].get<Ids>()) << prompt["logits"];
  }
}

TEST_P(Golden, AScanFindsTheTokensOfTheFullHead) {
  const auto form = linear::make_head_scan_form(context_.impl(), model_.head.view).value();
  linear::HeadScan scan;
  for (const base::Json& prompt : golden_["prompts"]) {
    Ids ids = prompt["ids"];
    Ids generated;
    Sequence growing = sequence();
    while (generated.size() < prompt["continuation"].size()) {
      const auto states = run(growing, ids, LogitsOf::none_but_states);
      const auto hidden = static_cast<size_t>(model_.config.hidden_size);
      const auto last = states.last(hidden);
      ASSERT_TRUE(scan.bound(context_.impl(), form, {last.data(), 1, model_.config.vocab_size}));
      const auto found = scan.candidates(context_.impl(), model_.head.view, {});
      const auto best = std::ranges::max_element(found.logits) - found.logits.begin();
      ids = {found.ids[static_cast<size_t>(best)]};
      generated.push_back(ids[0]);
    }
    EXPECT_EQ(generated, prompt["continuation"].get<Ids>()) << prompt["logits"];
  }
}

TEST_P(Golden, BitsDependNeitherOnThreadsNorOnCalls) {
  const Ids ids = golden_["prompts"][1]["ids"];
  Sequence whole = sequence();
  const auto logits = run(whole, ids, LogitsOf::all);
  const Context three = Context::create({.threads = 3}).value();
  Sequence again = sequence();
  const auto others = forward(three.impl(), model_, again, ids, LogitsOf::all);
  EXPECT_TRUE(std::equal(logits.begin(), logits.end(), others.begin(), others.end()));
  Sequence single = sequence();
  for (size_t i = 0; i < ids.size(); ++i) {
    const auto last = run(single, {ids[i]}, LogitsOf::last);
    EXPECT_TRUE(std::equal(last.begin(), last.end(), logits.begin() + i * last.size())) << i;
  }
}

TEST_P(Golden, OtherSpellingsOfTheConfigGiveTheSameBits) {
  const Ids ids = golden_["prompts"][0]["ids"];
  Sequence plain = sequence();
  const auto logits = run(plain, ids, LogitsOf::all);
  for (const std::string file : golden_["alternative_configs"]) {
    const TempDirectory directory;
    std::filesystem::copy(directory_ + "/model.safetensors", directory.file("model.safetensors"));
    std::filesystem::copy(directory_ + "/" + file, directory.file("config.json"));
    const Model model = load_model(context_.impl(), directory.path()).value();
    Sequence other = sequence();
    const auto others = forward(context_.impl(), model, other, ids, LogitsOf::all);
    EXPECT_TRUE(std::equal(logits.begin(), logits.end(), others.begin(), others.end())) << file;
  }
}

/// The same directory, its weights prepared for the test's instruction set.
TEST_P(Golden, PreparedModelsGiveTheSameBits) {
  const TempDirectory directory;
  std::filesystem::copy(directory_ + "/config.json", directory.file("config.json"));
  const auto written = write_prepared(context_.impl(), directory_, directory.file(kPreparedFile),
                                      context_.impl().isa, {});
  ASSERT_TRUE(written.ok()) << written.status().message();
  for (const FileCheck check : {FileCheck::quick, FileCheck::contents}) {
    const auto model = load_model(context_.impl(), directory.path(), check);
    ASSERT_TRUE(model.ok()) << model.status().message();
    EXPECT_EQ(model->notice, "");
    EXPECT_EQ(model->weight_bytes(), model_.weight_bytes());
    for (const base::Json& prompt : golden_["prompts"]) {
      const Ids ids = prompt["ids"];
      Sequence plain = sequence();
      Sequence prepared = sequence();
      const auto logits = run(plain, ids, LogitsOf::all);
      const auto others = forward(context_.impl(), *model, prepared, ids, LogitsOf::all);
      EXPECT_TRUE(std::equal(logits.begin(), logits.end(), others.begin(), others.end()));
    }
  }
}

/// How the projections of a case are kept: the kind that the library's classes ask for.
TEST_P(Golden, ProjectionsAreKeptAsTheyShould) {
  const std::string name = GetParam();
  for (const LayerWeights& layer : model_.layers) {
    for (const Linear& linear : layer.projections) {
      const bool dense = name.starts_with("dense") || name.starts_with("rope");
      EXPECT_EQ(linear.is_dense(), dense);
      EXPECT_EQ(std::holds_alternative<FloatTernary>(linear.matrix), name == "trilm");
      EXPECT_EQ(linear.norm.empty(), name != "bitlinear_rms_norm");
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Models, Golden,
                         testing::Values("bitnet_packed", "bitnet_masters", "bitlinear_llama3",
                                         "bitlinear_head20", "bitlinear_head80",
                                         "bitlinear_head100", "bitlinear_rms_norm",
                                         "bitlinear_sharded", "trilm", "dense_bf16", "dense_fp16",
                                         "rope_llama3", "rope_linear"),
                         [](const auto& model) { return std::string(model.param); });

}  // namespace
}  // namespace rsr::model
