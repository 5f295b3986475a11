// Models whose logits Hugging Face transformers computed: tests/golden/models/README.md.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/json.h"
#include "io/safetensors.h"
#include "model/forward.h"

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

TEST_P(Golden, LogitsAreThoseOfTheLibrary) {
  const int64_t vocab = model_.config.vocab_size;
  for (const base::Json& prompt : golden_["prompts"]) {
    Ids ids = prompt["ids"];
    const Ids continuation = prompt["continuation"];
    ids.insert(ids.end(), continuation.begin(), continuation.end());
    Sequence all = sequence();
    const auto logits = run(all, ids, LogitsOf::all);
    const auto wanted =
        io::to_floats(file_.tensors().at(prompt["logits"].get<std::string>())).value();
    for (size_t i = 0; i < prompt["positions"].size(); ++i) {
      const int64_t position = prompt["positions"][i];
      const double tolerance = prompt["tolerances"][i];
      double worst = 0;
      for (int64_t id = 0; id < vocab; ++id) {
        const float ours = logits[static_cast<size_t>(position * vocab + id)];
        const float theirs = wanted[i * static_cast<size_t>(vocab) + static_cast<size_t>(id)];
        worst = std::max(worst, std::abs(static_cast<double>(ours) - static_cast<double>(theirs)));
      }
      EXPECT_LE(worst, tolerance) << prompt["logits"] << ", position " << position;
    }
  }
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

INSTANTIATE_TEST_SUITE_P(Models, Golden, testing::Values("bitnet_packed"));

}  // namespace
}  // namespace rsr::model
