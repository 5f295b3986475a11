// A device's choice against the sampler's from all logits: the same token for the same seed.
#include <gtest/gtest.h>

#include <vector>

#include "cuda/test_device.h"
#include "engine/head.h"
#include "engine/sampler.h"
#include "linear/head_scan_problem.h"
#include "model/device_head.h"
#include "model/tiny_model.h"

namespace rsr::engine {
namespace {

using linear::normal_vector;
using linear::Table;

constexpr int64_t kRows = 300;
constexpr int64_t kCols = 40;

class DeviceChoices : public cuda::OnDevices {
 protected:
  DeviceChoices() {
    table_.fill_normal(random_);
    for (auto& bits : table_.bits) bits = static_cast<uint16_t>(bits + (3U << 7));  // times 8
    for (int64_t r = 200; r < kRows; ++r) table_.copy_row(r - 200, r);              // equals
    const auto made = linear::make_head_scan_form(context_.impl(), table_.view);
    form_ = std::make_unique<model::DeviceHeadForm>(
        model::DeviceHeadForm::upload(stream, *made).value());
    bits_ = cuda::upload(stream, std::span<const uint16_t>(table_.bits)).value();
    cuda::Dense dense;
    dense.w = bits_.as<uint16_t>();
    dense.cols = kCols;
    head_ = model::DeviceHead::create(device, *form_, dense).value();
    query_ = cuda::Memory::create(device, sizeof(cuda::HeadQuery)).value();
    pinned_ = cuda::PinnedMemory::create(device, sizeof(cuda::HeadQuery)).value();
  }

  std::optional<model::HeadChoice> ask(const std::vector<float>& x,
                                       const model::HeadQuestion& question) {
    const auto state = array(x);
    auto* query = pinned_.as<cuda::HeadQuery>();
    EXPECT_TRUE(head_->prepare(stream, question, query).ok());
    EXPECT_TRUE(stream.copy_to_device(query_.data(), query, sizeof *query).ok());
    EXPECT_TRUE(head_->ask(stream, state.data(), query_.as<cuda::HeadQuery>()).ok());
    EXPECT_TRUE(stream.wait().ok());
    return head_->answer();
  }

  std::vector<float> logits_of(const std::vector<float>& x) {
    std::vector<float> logits(kRows);
    linear::multiply_dense(context_.impl(), table_.view, x.data(), 1, logits.data());
    return logits;
  }

  /// One answer of `tokens`, by both. Every fifth token the device is passed over.
  void expect_same(const Sampling& sampling, int tokens) {
    const std::vector<int32_t> seen = {1, 2, 3, 99, 5000};
    Sampler all(sampling, seen);
    Sampler other(sampling, seen);
    std::vector<cuda::HeadUpdate> updates;
    const auto add = [&](int32_t id) {
      if (id < kRows) updates.push_back({id, other.change_of(id)});
    };
    for (const int32_t id : other.changed_ids()) add(id);
    bool anew = true;
    for (int i = 0; i < tokens; ++i) {
      const std::vector<float> x = normal_vector(kCols, random_);
      const std::vector<float> logits = logits_of(x);
      const int32_t want = all.sample(logits).value();
      if (i % 5 == 4) {
        ASSERT_EQ(other.sample(logits).value(), want);
      } else {
        model::HeadQuestion question = {other.query(), anew, updates};
        question.query.rows = kRows;
        const auto choice = ask(x, question);
        anew = false;
        updates.clear();
        ASSERT_TRUE(choice.has_value());
        ASSERT_EQ(choice->id, want) << "token " << i << " of " << choice->candidates;
        other.accept(choice->id);
      }
      add(want);
    }
  }

  Context context_ = Context::create({.threads = 1}).value();
  linear::Random random_{5};
  Table table_{kRows, kCols};
  std::unique_ptr<model::DeviceHeadForm> form_;
  cuda::Memory bits_;
  std::unique_ptr<model::DeviceHead> head_;
  cuda::Memory query_;
  cuda::PinnedMemory pinned_;
};

TEST_P(DeviceChoices, GreedyTokensAreTheSamplers) {
  expect_same({.temperature = 0.0f}, 12);
  expect_same({.temperature = 0.0f, .repetition_penalty = 1.5f, .frequency_penalty = 0.5f}, 12);
  expect_same({.temperature = 0.0f, .presence_penalty = 2.0f, .logit_bias = {{5, 9.0f}}}, 12);
}

TEST_P(DeviceChoices, SampledTokensAreTheSamplers) {
  for (const uint64_t seed : {1, 2}) {
    expect_same({.temperature = 1.0f, .top_k = 1, .seed = seed}, 4);
    expect_same({.temperature = 2.0f, .top_k = 20, .top_p = 0.8f, .seed = seed}, 9);
    expect_same({.temperature = 3.0f, .top_k = 1000, .top_p = 0.999f, .seed = seed}, 4);
    expect_same({.temperature = 1e30f, .top_k = 7, .seed = seed}, 9);
    expect_same({.temperature = 5.0f,
                 .top_k = 50,
                 .min_p = 0.3f,
                 .repetition_penalty = 1.2f,
                 .logit_bias = {{3, 1.0f}},
                 .seed = seed},
                9);
    expect_same({.temperature = 4.0f, .min_p = 0.1f, .presence_penalty = 0.25f, .seed = seed}, 9);
    expect_same({.temperature = 1.0f, .min_p = 1.0f, .seed = seed}, 4);
    expect_same({.temperature = 2.0f, .top_k = 9, .top_p = 1e-6f, .seed = seed}, 4);
  }
}

TEST_P(DeviceChoices, ManyUpdatesAtOnceAndNewSamplers) {
  const Sampling sampling = {.temperature = 0.0f, .presence_penalty = 5.0f};
  const std::vector<float> x = normal_vector(kCols, random_);
  for (const int count : {0, 3, cuda::kHeadMostUpdates, cuda::kHeadMostUpdates + 1, 90}) {
    Sampler sampler(sampling);
    model::HeadQuestion question = {sampler.query(), true, {}};
    question.query.rows = kRows;
    ASSERT_EQ(ask(x, question)->id, Sampler(sampling).sample(logits_of(x)).value());
    std::vector<cuda::HeadUpdate> updates;
    for (int i = 0; i < count; ++i) {
      const int32_t id = sampler.sample(logits_of(x)).value();
      updates.push_back({id, sampler.change_of(id)});
    }
    question.anew = false;
    question.updates = updates;
    const auto choice = ask(x, question);
    ASSERT_EQ(choice->id, sampler.sample(logits_of(x)).value()) << count;
  }
}

TEST_P(DeviceChoices, WhereOnlyAllLogitsTellNothingIsChosen) {
  Sampler sampler(Sampling{});
  model::HeadQuestion question = {sampler.query(), true, {}};
  question.query.rows = kRows;
  std::vector<float> x = normal_vector(kCols, random_);
  EXPECT_TRUE(ask(x, question).has_value());
  x[7] = HUGE_VALF;
  EXPECT_FALSE(ask(x, question).has_value());
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
    EXPECT_EQ(head.sample(with, 0, sampler).value(), i);  // the lowest that was not there
  }
  EXPECT_EQ(head.mean_candidates(), 0);
  const auto form = static_cast<double>(model.head_scan->bytes());  // four times, then no more
  EXPECT_DOUBLE_EQ(head.mean_bytes(model), static_cast<double>(model.head.bytes()) + 4 * form / 6);
}

INSTANTIATE_TEST_SUITE_P(Devices, DeviceChoices, testing::ValuesIn(cuda::test_devices()));

}  // namespace
}  // namespace rsr::engine
