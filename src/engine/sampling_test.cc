#include "engine/sampling.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <string>

namespace rsr::engine {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();

/// Expects an error that begins with the option's name.
void expect_refused(const std::string& name, const GenerateOptions& options) {
  const Status status = check_options(options, 10);
  EXPECT_EQ(status.code(), ErrorCode::invalid_argument) << name;
  EXPECT_TRUE(status.message().starts_with(name + " ")) << status.message();
}

TEST(Sampling, RangesAreChecked) {
  expect_refused("max_tokens", {.max_tokens = -1});
  for (const float bad : {-1.0f, NAN, kInf}) expect_refused("temperature", {.temperature = bad});
  expect_refused("top_k", {.top_k = -1});
  for (const float bad : {0.0f, -0.5f, 1.01f, NAN}) expect_refused("top_p", {.top_p = bad});
  for (const float bad : {-0.1f, 1.01f, NAN}) expect_refused("min_p", {.min_p = bad});
  for (const float bad : {0.0f, -1.0f, NAN, kInf}) {
    expect_refused("repetition_penalty", {.repetition_penalty = bad});
  }
  for (const float bad : {-2.1f, 2.1f, NAN}) {
    expect_refused("presence_penalty", {.presence_penalty = bad});
    expect_refused("frequency_penalty", {.frequency_penalty = bad});
  }
  for (const float bad : {-100.5f, 101.0f, NAN}) {
    expect_refused("logit_bias", {.logit_bias = {{1, bad}}});
  }
  for (const int32_t bad : {-1, 10}) expect_refused("logit_bias", {.logit_bias = {{bad, 1.0f}}});
  expect_refused("stop", {.stop = {"a", ""}});
  expect_refused("stop", {.stop = {"\xff"}});
}

TEST(Sampling, EndsOfTheRangesAreAllowed) {
  const GenerateOptions low = {.temperature = 0.0f,
                               .top_k = 0,
                               .top_p = 1e-30f,
                               .repetition_penalty = 1e-30f,
                               .presence_penalty = -2.0f,
                               .frequency_penalty = -2.0f,
                               .logit_bias = {{0, -100.0f}}};
  const GenerateOptions high = {.temperature = 1e30f,
                                .top_k = INT64_MAX,
                                .top_p = 1.0f,
                                .min_p = 1.0f,
                                .repetition_penalty = 1e30f,
                                .presence_penalty = 2.0f,
                                .frequency_penalty = 2.0f,
                                .logit_bias = {{9, 100.0f}},
                                .stop = {"\n", "\u00e9"}};
  EXPECT_TRUE(check_options({}, 10).ok());
  EXPECT_TRUE(check_options(low, 10).ok());
  EXPECT_TRUE(check_options(high, 10).ok());
}

TEST(Sampling, OptionsWinOverTheModel) {
  GenerationConfig model;
  model.temperature = 0.6f;
  model.top_k = 40;
  model.top_p = 0.9f;
  model.repetition_penalty = 1.1f;
  const Sampling silent = choose_sampling({}, model);
  EXPECT_EQ(silent.temperature, 0.6f);
  EXPECT_EQ(silent.top_k, 40);
  EXPECT_EQ(silent.top_p, 0.9f);
  EXPECT_EQ(silent.repetition_penalty, 1.1f);
  const Sampling given = choose_sampling(
      {.temperature = 0.0f, .top_k = 0, .top_p = 1.0f, .repetition_penalty = 1.0f, .seed = 3},
      model);
  EXPECT_EQ(given.temperature, 0.0f);
  EXPECT_EQ(given.top_k, 0);
  EXPECT_EQ(given.top_p, 1.0f);
  EXPECT_EQ(given.repetition_penalty, 1.0f);
  EXPECT_EQ(given.seed, 3u);
}

}  // namespace
}  // namespace rsr::engine
