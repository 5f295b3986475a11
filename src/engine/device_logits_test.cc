// A device's choice by all logits, more than a block of them, against the sampler's.
#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

#include "cuda/test_device.h"
#include "engine/sampler.h"
#include "model/device_head.h"

namespace rsr::engine {
namespace {

constexpr int32_t kRows = 5 * cuda::kHeadBlockRows + 77;
constexpr int32_t kPadding = 3;

class DeviceLogits : public cuda::OnDevices {
 protected:
  DeviceLogits() {
    cuda::Dense dense;  // it is given no rows: nothing is multiplied
    dense.rows = kRows + kPadding;
    head_ = model::DeviceHead::create(stream, nullptr, dense).value();
  }

  /// The tokens of `states` states, by the options and a context.
  std::vector<std::optional<model::HeadChoice>> choose(const Sampler& sampler,
                                                       const std::vector<float>& logits,
                                                       size_t states) {
    std::vector<cuda::HeadQuery> queries;
    sampler.ask(std::vector<int32_t>(states - 1, 5), &queries);
    for (cuda::HeadQuery& query : queries) query.rows = kRows;
    std::vector<cuda::HeadUpdate> updates;
    for (const int32_t id : sampler.changed_ids()) updates.push_back({id, sampler.change_of(id)});
    const model::HeadQuestion question = {queries, true, updates};
    std::vector<cuda::HeadQuery> prepared(states);
    EXPECT_TRUE(head_->prepare(stream, question, prepared.data()).ok());
    const auto asked = array(prepared);
    const auto on_device = array(logits);
    EXPECT_TRUE(head_
                    ->choose(stream, {asked.data(), static_cast<int32_t>(states), nullptr},
                             on_device.data(), model::HeadWay::of(question, false))
                    .ok());
    EXPECT_TRUE(stream.wait().ok());
    std::vector<std::optional<model::HeadChoice>> choices;
    for (size_t s = 0; s < states; ++s) {
      choices.push_back(head_->answer(static_cast<int64_t>(s)));
    }
    return choices;
  }

  /// Padding is better than all others.
  std::vector<float> random_logits(size_t states, float spread, bool equals) {
    std::normal_distribution<float> normal(0, spread);
    std::vector<float> logits;
    for (size_t i = 0; i < states * (kRows + kPadding); ++i) {
      const bool padding = i % (kRows + kPadding) >= kRows;
      const float value = normal(random_);
      logits.push_back(padding ? 1e3f : equals ? std::round(value) : value);
      if (!padding && random_() % 50 == 0) logits.back() = -HUGE_VALF;
    }
    return logits;
  }

  void expect_same(Sampling sampling, float spread, bool equals, size_t states = 1) {
    for (sampling.seed = 1; sampling.seed < 4; ++sampling.seed) {
      const std::vector<int32_t> context = {1, 7, 2000, kRows - 1};
      Sampler sampler(sampling, context);
      const auto logits = random_logits(states, spread, equals);
      const auto choices = choose(sampler, logits, states);
      ASSERT_TRUE(choices[0].has_value());
      const auto first = std::span(logits).first(kRows);
      ASSERT_EQ(choices[0]->id, sampler.sample(first).value()) << "seed " << sampling.seed;
      for (size_t s = 1; s < states; ++s) {  // as if 5 had come
        Sampler other(sampling, context);
        for (size_t i = 0; i < s; ++i) other.accept(5);
        const auto of_state = std::span(logits).subspan(s * (kRows + kPadding), kRows);
        ASSERT_EQ(choices[s]->id, other.sample(of_state).value()) << "state " << s;
      }
    }
  }

  std::mt19937 random_{17};
  std::unique_ptr<model::DeviceHead> head_;
};

TEST_P(DeviceLogits, GreedyTokensAreTheSamplers) {
  expect_same({.temperature = 0.0f}, 2.0f, false);
  expect_same({.temperature = 0.0f}, 0.1f, true, 3);  // zeros of both signs
  expect_same({.temperature = 0.0f, .presence_penalty = 2.0f, .logit_bias = {{kRows - 1, 50.0f}}},
              2.0f, true, 2);
}

TEST_P(DeviceLogits, DrawsAreTheSamplers) {
  for (const bool equals : {false, true}) {
    expect_same({.temperature = 1.0f}, 2.0f, equals);
    expect_same({.temperature = 1.5f, .min_p = 0.02f}, 2.0f, equals, 2);
    expect_same({.temperature = 1e30f, .repetition_penalty = 1.5f}, 2.0f, equals);
    expect_same({.temperature = 0.01f}, 1e30f, equals);
  }
}

TEST_P(DeviceLogits, TopPIsTheSamplers) {
  for (const float top_p : {1e-30f, 0.1f, 0.5f, 0.95f, 0.9999999f}) {
    expect_same({.temperature = 1.0f, .top_p = top_p}, 2.0f, false);
    expect_same({.temperature = 1.0f, .top_p = top_p, .min_p = 0.01f}, 1.0f, true);
    expect_same({.temperature = 1e30f, .top_p = top_p}, 1.0f, false);  // all are alike
  }
  expect_same({.temperature = 3.0f, .top_p = 0.7f, .frequency_penalty = 1.0f}, 2.0f, true, 8);
}

TEST_P(DeviceLogits, TopKIsTheSamplers) {
  for (const int64_t k : {int64_t{1}, int64_t{1500}, int64_t{kRows - 1}, INT64_MAX}) {
    expect_same({.temperature = 1e30f, .top_k = k}, 2.0f, false);
    expect_same({.temperature = 2.0f, .top_k = k, .top_p = 0.6f}, 2.0f, true);
  }
  expect_same({.temperature = 1e30f, .top_k = 1100, .presence_penalty = 0.5f}, 2.0f, true, 4);
}

TEST_P(DeviceLogits, LogitsThatAreNotNumbersAreTold) {
  const std::vector<float> good = random_logits(2, 1.0f, false);
  for (const float bad : {std::nanf(""), HUGE_VALF}) {
    for (const float temperature : {0.0f, 1.0f}) {
      const Sampler sampler({.temperature = temperature, .top_p = 0.5f});
      std::vector<float> logits = good;
      logits[kRows + kPadding + 1500] = bad;  // of the second state
      const auto choices = choose(sampler, logits, 2);
      EXPECT_TRUE(choices[0].has_value());
      EXPECT_FALSE(choices[1].has_value());
      EXPECT_TRUE(choose(sampler, good, 2)[1].has_value());  // nothing is left of it
    }
  }
  const std::vector<float> none(kRows + kPadding, -HUGE_VALF);
  EXPECT_FALSE(choose(Sampler({.temperature = 1.0f}), none, 1)[0].has_value());
}

INSTANTIATE_TEST_SUITE_P(Devices, DeviceLogits, testing::ValuesIn(cuda::test_devices()));

}  // namespace
}  // namespace rsr::engine
