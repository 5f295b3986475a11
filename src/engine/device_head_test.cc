// A device's choice against the sampler's from all logits: the same token for the same seed.
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <vector>

#include "engine/device_choices.h"
#include "engine/head.h"
#include "model/tiny_model.h"

namespace rsr::engine {
namespace {

using linear::normal_vector;

TEST_P(DeviceChoices, GreedyTokensAreTheSamplers) {
  expect_same({.temperature = 0.0f}, 6);
  expect_same({.temperature = 0.0f, .repetition_penalty = 1.5f, .frequency_penalty = 0.5f}, 12);
  expect_same({.temperature = 0.0f, .presence_penalty = 2.0f, .logit_bias = {{5, 9.0f}}}, 6);
}

TEST_P(DeviceChoices, SampledTokensAreTheSamplers) {
  for (const uint64_t seed : {1, 2}) {
    expect_same({.temperature = 1.0f, .top_k = 1, .seed = seed}, 2);
    expect_same({.temperature = 2.0f, .top_k = 20, .top_p = 0.8f, .seed = seed}, 6);
    expect_same({.temperature = 3.0f, .top_k = 1000, .top_p = 0.999f, .seed = seed}, 2);
    expect_same({.temperature = 1e30f, .top_k = 7, .seed = seed}, 4);
    expect_same({.temperature = 5.0f,
                 .top_k = 50,
                 .min_p = 0.3f,
                 .repetition_penalty = 1.2f,
                 .logit_bias = {{3, 1.0f}},
                 .seed = seed},
                6);
    expect_same({.temperature = 4.0f, .min_p = 0.1f, .presence_penalty = 0.25f, .seed = seed}, 6);
    expect_same({.temperature = 1.0f, .min_p = 1.0f, .seed = seed}, 2);
    expect_same({.temperature = 2.0f, .top_k = 9, .top_p = 1e-6f, .seed = seed}, 2);
  }
}

TEST_P(DeviceChoices, SampledTokensOfAllLogitsAreTheSamplers) {
  for (const uint64_t seed : {1, 2}) {
    expect_same({.temperature = 1.0f, .seed = seed}, 3);
    expect_same({.temperature = 1e30f, .seed = seed}, 3);
    expect_same({.temperature = 1e-30f, .top_p = 0.5f, .seed = seed}, 1);
    expect_same({.temperature = 3.0f, .top_p = 0.9f, .seed = seed}, 6);
    expect_same({.temperature = 1e30f, .top_p = 0.37f, .seed = seed}, 3);
    expect_same({.temperature = 2.0f, .top_p = 0.97f, .min_p = 0.05f, .seed = seed}, 3);
    expect_same({.temperature = 9.0f,
                 .top_k = 1100,
                 .top_p = 0.8f,
                 .repetition_penalty = 1.4f,
                 .frequency_penalty = -0.5f,
                 .seed = seed},
                6);
  }
}

TEST_P(DeviceChoices, SeveralStatesAreAsIfOneAfterTheOther) {
  for (const size_t states : {2, 4, 5, 8}) {
    expect_same({.temperature = 0.0f}, 2, states);
    expect_same({.temperature = 2.0f, .top_p = 0.9f, .seed = 3}, 2, states);
    expect_same({.temperature = 3.0f,
                 .top_k = 12,
                 .repetition_penalty = 1.3f,
                 .frequency_penalty = 0.7f,
                 .logit_bias = {{200, 2.0f}},
                 .seed = 1},
                3, states);
  }
}

TEST_P(DeviceChoices, ManyUpdatesAtOnceAndNewSamplers) {
  const Sampling sampling = {.temperature = 0.0f, .presence_penalty = 5.0f};
  const std::vector<float> x = normal_vector(kCols, random_);
  for (const int count : {0, 3, 16, 17, 90}) {
    Sampler sampler(sampling);
    std::vector<cuda::HeadQuery> queries;
    sampler.ask({}, &queries);
    queries[0].rows = kRows;
    ASSERT_EQ(ask(x, {queries, true, {}}, true)[0]->id,
              Sampler(sampling).sample(logits_of(x)).value());
    std::vector<cuda::HeadUpdate> updates;
    for (int i = 0; i < count; ++i) {
      const int32_t id = sampler.sample(logits_of(x)).value();
      updates.push_back({id, sampler.change_of(id)});
    }
    const auto choice = ask(x, {queries, false, updates}, true)[0];
    ASSERT_EQ(choice->id, sampler.sample(logits_of(x)).value()) << count;
  }
}

TEST_P(DeviceChoices, ADrawMayFallOnEitherEndOfWhatIsKept) {
  constexpr int32_t kBest = 4;
  const std::vector<float> x = normal_vector(kCols, random_);
  const std::vector<float> logits = logits_of(x);
  std::vector<int32_t> ids(kRows);
  std::iota(ids.begin(), ids.end(), 0);
  std::stable_sort(ids.begin(), ids.end(), [&](int32_t a, int32_t b) {
    return logits[static_cast<size_t>(a)] > logits[static_cast<size_t>(b)];
  });
  ids.resize(kBest);  // at this temperature all alike: top-p keeps lower ids
  std::sort(ids.begin(), ids.end());
  for (const bool scan : {true, false}) {
    for (const auto& [top_p, last] : {std::pair(1.0f, ids[3]), {0.5f, ids[1]}, {0.51f, ids[2]}}) {
      std::vector<cuda::HeadQuery> queries;
      Sampler({.temperature = 1e30f, .top_k = kBest, .top_p = top_p}).ask({}, &queries);
      queries[0].rows = kRows;
      queries[0].number = 0;
      EXPECT_EQ(ask(x, {queries, true, {}}, scan)[0]->id, ids[0]);
      queries[0].number = UINT64_MAX;
      EXPECT_EQ(ask(x, {queries, true, {}}, scan)[0]->id, last);
    }
  }
}

TEST_P(DeviceChoices, WhereOnlyAllLogitsTellNothingIsChosen) {
  std::vector<cuda::HeadQuery> queries;
  Sampler(Sampling{}).ask({}, &queries);
  queries[0].rows = kRows;
  std::vector<float> x = normal_vector(kCols, random_);
  EXPECT_TRUE(ask(x, {queries, true, {}}, true)[0].has_value());
  x[7] = HUGE_VALF;
  EXPECT_FALSE(ask(x, {queries, true, {}}, true)[0].has_value());
}

/// All rows of the head are equal, and more than can be candidates.
TEST(DeviceHead, TooManyCandidatesGoThroughAllLogits) {
  cuda::add_backend(&cuda::emulated::backend());
  model::TempDirectory directory;
  model::TinyModel tiny({.vocab = 3000, .layers = 1, .positions = 64, .tied = false}, 3);
  std::string& rows = tiny.tensors["lm_head.weight"].bytes;
  const size_t row = 2 * static_cast<size_t>(tiny.sizes.hidden);
  for (size_t at = row; at < rows.size(); at += row) rows.replace(at, row, rows, 0, row);
  tiny.write(directory.path());
  Context context = Context::create({.threads = 1}).value();
  model::Model model = model::load_model(context.impl(), directory.path()).value();
  ASSERT_TRUE(add_head_scan(HeadMethod::scan, true, context.impl(), &model).ok());
  const auto device =
      model::DeviceModel::upload(context.impl(), cuda::Device::open("emulated").value(), model)
          .value();
  model::Sequence sequence(model::KvCache::create(model.config, 1, model::KvType::f16).value());
  sequence.device = model::DeviceSequence::create(device, model, 64, model::KvType::f16).value();
  const HeadModel with = {context.impl(), model, 2990, sequence};
  Sampler sampler({.presence_penalty = 1.0f});
  Head head;
  const int32_t token = 7;
  for (int32_t i = 0; i < 6; ++i) {
    ASSERT_TRUE(head.read(with, {&token, 1}, 1, sampler).ok());
    EXPECT_TRUE(head.chosen_by_device());
    EXPECT_EQ(head.sample(with, 0, sampler).value(), i);  // the lowest that was not there
  }
  EXPECT_EQ(head.mean_candidates(), 0);
  const auto form = static_cast<double>(model.head_scan->bytes());  // four times, then no more
  EXPECT_DOUBLE_EQ(head.mean_bytes(model), static_cast<double>(model.head.bytes()) + 4 * form / 6);
}

INSTANTIATE_TEST_SUITE_P(Devices, DeviceChoices, testing::ValuesIn(cuda::test_devices()));

}  // namespace
}  // namespace rsr::engine
