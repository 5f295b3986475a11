// What perplexity() and compare_models() refuse.
#include "rsr/perplexity.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "engine/tiny_engine.h"

namespace rsr {
namespace {

using nlohmann::json;

constexpr const char* kText =
    "one, two, three and twenty-four: numbers, some in words, some (17) not.";

class PerplexityErrors : public TinyEngine {
 protected:
  json tokenizer() const {
    return json::parse(std::ifstream(std::string(kDemo) + "tokenizer.json"));
  }
};

TEST_F(PerplexityErrors, LogitsThatAreNotFiniteAreAnError) {
  const Engine good = open();
  std::string& norm = tiny_.tensors["model.norm.weight"].bytes;
  for (size_t i = 0; i < norm.size(); i += 2) norm.replace(i, 2, "\x7f\x7f");  // 3.4e38
  const TempDirectory directory;
  std::filesystem::copy(
      directory_.path(), directory.path(),
      std::filesystem::copy_options::recursive | std::filesystem::copy_options::overwrite_existing);
  tiny_.write(directory.path());
  const Engine bad = Engine::open(directory.path(), {.context = {.threads = 2}}).value();
  const auto expect_refused = [](const Status& status, const char* whose) {
    EXPECT_EQ(status.code(), ErrorCode::corrupt_data);
    EXPECT_EQ(status.message(), std::string(whose) +
                                    " gave a logit that is not finite, where it predicts token 1 "
                                    "of the text");
  };
  expect_refused(perplexity(bad, kText).status(), "the model");
  expect_refused(compare_models(bad, good, kText).status(), "the reference");
  expect_refused(compare_models(good, bad, kText).status(), "the other model");
}

TEST_F(PerplexityErrors, RefusesWithANameWhatIsWrong) {
  const Engine engine = open();
  const auto message = [&](std::string_view text, const PerplexityOptions& options) {
    const Status status = perplexity(engine, text, options).status();
    EXPECT_EQ(status.code(), ErrorCode::invalid_argument);
    return status.message();
  };
  EXPECT_EQ(message("", {}), "the text is empty");
  EXPECT_EQ(message("one\xff", {}), "the text is not UTF-8 at byte 3");
  EXPECT_EQ(message("\x01", {}), "the text is too short: 1 token, 1 to predict, at least 2 needed");
  EXPECT_EQ(message(kText, {.window = 1}), "window is 1, must be at least 2");
  EXPECT_EQ(message(kText, {.window = 701}), "window is 701, the context is 700");
  EXPECT_EQ(message(kText, {.window = -1}), "window is -1, must be at least 2");
  EXPECT_EQ(message(kText, {.window = 10, .stride = 10}),
            "stride is 10, must be 1 to 9, the text tokens of a window; 0: as many");
  EXPECT_NE(message(kText, {.stride = -1}).find("stride is -1"), std::string::npos);
  EXPECT_EQ(message(kText, {.max_tokens = -1}), "max_tokens is -1, must not be negative");
  EXPECT_NE(message(kText, {.max_tokens = 1}).find("too short"), std::string::npos);
}

TEST_F(PerplexityErrors, RefusesModelsThatReadDifferently) {
  const Engine engine = open();
  const auto message = [&](const Engine& other, const PerplexityOptions& options = {}) {
    return compare_models(engine, other, kText, options).status().message();
  };
  json changed = tokenizer();
  changed["post_processor"] = nullptr;
  write_file("tokenizer.json", changed.dump());
  EXPECT_NE(message(open()).find("different ids before a text"), std::string::npos);
  changed = tokenizer();
  changed["model"]["merges"].clear();
  changed["model"]["ignore_merges"] = false;
  write_file("tokenizer.json", changed.dump());
  EXPECT_NE(message(open(), {.max_tokens = 2}).find("different ids, first at its token 1,"),
            std::string::npos);
  tiny_ = TinyModel({.vocab = kVocab + 16, .layers = 1, .positions = 700}, 3);
  EXPECT_EQ(message(open()),
            "the models have vocabularies of 440 and 448 tokens, so they cannot be compared");
}

TEST_F(PerplexityErrors, TheSmallerContextBoundsAComparison) {
  const Engine large = open();
  const Engine small = open({.context = {.threads = 1}, .context_length = 40});
  EXPECT_EQ(compare_models(large, small, kText)->other.window, 40);
  EXPECT_EQ(compare_models(large, small, kText, {.window = 41}).status().message(),
            "window is 41, the context is 40");
}

}  // namespace
}  // namespace rsr
