// The pass through a model on a device, against the host's: the same bits.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

#include "base/json.h"
#include "cuda/test_device.h"
#include "model/device_sequence.h"
#include "model/forward.h"
#include "model/tiny_model.h"

namespace rsr::model {
namespace {

using Ids = std::vector<int32_t>;

std::vector<std::string> device_names() {
  cuda::add_backend(&cuda::emulated::backend());
  std::vector<std::string> names = {"emulated"};
  if (cuda::Device::open("cuda").ok()) names.push_back("cuda");
  return names;
}

/// A model on the host and on a device. The host's weights are those of the reference instruction
/// set, whose float formats devices have, too.
class Both {
 public:
  Both(const std::string& directory, const std::string& device, bool scan = false)
      : model_(load(directory, scan)),
        device_(DeviceModel::upload(context_.impl(), cuda::Device::open(device).value(), model_)
                    .value()) {}

  Sequence sequence(KvType type) const {
    Sequence made(KvCache::create(model_.config, model_.config.max_positions, type).value());
    made.device =
        DeviceSequence::create(device_, model_, model_.config.max_positions, type).value();
    return made;
  }

  /// Reads `ids` on both, and compares the logits of the last `states`.
  void read(Sequence& sequence, const Ids& ids, int64_t states) {
    const int64_t start = sequence.length;
    const auto host = forward(context_.impl(), model_, sequence, ids, LogitsOf::all);
    const auto found = sequence.device->forward(ids, start, states);
    ASSERT_TRUE(found.ok()) << found.status().message();
    const auto wanted = host.last(found->size());
    for (size_t i = 0; i < wanted.size(); ++i) {
      ASSERT_EQ(std::memcmp(&wanted[i], &(*found)[i], sizeof(float)), 0)
          << "logit " << i << ": " << wanted[i] << " against " << (*found)[i];
    }
  }

  /// Reads `ids` on both: the device chooses behind the last `states` as the host's logits say, and
  /// then gives the same logits.
  void choose(Sequence& sequence, const Ids& ids, size_t states = 1, bool scan = true) {
    const int64_t start = sequence.length;
    const auto host = forward(context_.impl(), model_, sequence, ids, LogitsOf::all)
                          .last(states * static_cast<size_t>(vocab()));
    const std::vector<cuda::HeadQuery> queries(
        states, cuda::HeadQuery{.rows = static_cast<int32_t>(vocab())});
    const Status status = sequence.device->choose(ids, start, {queries, true, {}}, scan);
    ASSERT_TRUE(status.ok()) << status.message();
    const auto expect = [&] {
      for (size_t s = 0; s < states; ++s) {
        const auto of_state =
            host.subspan(s * static_cast<size_t>(vocab())).first(static_cast<size_t>(vocab()));
        const auto choice = sequence.device->choice(static_cast<int64_t>(s));
        ASSERT_TRUE(choice.has_value());
        EXPECT_EQ(choice->id,
                  std::max_element(of_state.begin(), of_state.end()) - of_state.begin());
      }
    };
    expect();
    if (scan) {
      ASSERT_TRUE(sequence.device->choose_by_logits().ok());
      expect();
    }
    const auto found = sequence.device->logits_after_choice();
    ASSERT_TRUE(found.ok()) << found.status().message();
    ASSERT_EQ(found->size(), host.size());
    EXPECT_EQ(std::memcmp(host.data(), found->data(), host.size_bytes()), 0);
  }

  int64_t vocab() const { return model_.config.vocab_size; }
  const Model& model() const { return model_; }

 private:
  Model load(const std::string& directory, bool scan) {
    Model model = load_model(context_.impl(), directory).value();
    if (scan) model.head_scan = linear::make_head_scan_form(context_.impl(), model.head.view);
    return model;
  }

  Context context_ = Context::create({.threads = 2, .isa = "reference"}).value();
  Model model_;
  std::shared_ptr<const DeviceModel> device_;
};

Ids some_ids(int64_t count, int64_t vocab) {
  Ids ids;
  for (int64_t i = 0; i < count; ++i) ids.push_back(static_cast<int32_t>((7 * i + 3) % vocab));
  return ids;
}

class DeviceGolden : public testing::TestWithParam<std::tuple<std::string, std::string>> {};

TEST_P(DeviceGolden, LogitsAreTheHosts) {
  const auto& [device, name] = GetParam();
  Both both(RSR_SOURCE_DIR "/tests/golden/models/" + name, device);
  Sequence sequence = both.sequence(KvType::f32);
  both.read(sequence, some_ids(5, both.vocab()), 5);  // a prompt, with all logits
  both.read(sequence, some_ids(1, both.vocab()), 1);
  both.read(sequence, some_ids(1, both.vocab()), 1);  // a graph is captured
  both.read(sequence, some_ids(1, both.vocab()), 1);  // and used again
  sequence.length = 3;                                // some tokens are forgotten
  both.read(sequence, some_ids(2, both.vocab()), 1);
}

INSTANTIATE_TEST_SUITE_P(
    Models, DeviceGolden,
    testing::Combine(testing::ValuesIn(device_names()),
                     testing::Values("bitlinear_head100", "bitlinear_head20", "bitlinear_head80",
                                     "bitlinear_llama3", "bitlinear_rms_norm", "bitlinear_sharded",
                                     "bitnet_masters", "bitnet_packed", "dense_bf16", "dense_fp16",
                                     "rope_linear", "rope_llama3", "trilm")));

class DeviceSequences : public testing::TestWithParam<cuda::TestDevice> {
 protected:
  DeviceSequences() { tiny_.write(directory_.path()); }
  void SetUp() override { cuda::emulated::set_order(GetParam().order); }

  TempDirectory directory_;
  TinyModel tiny_{{.layers = 1, .positions = 1300}, 5};
};

TEST_P(DeviceSequences, EveryTypeOfCacheGivesTheHostsBits) {
  Both both(directory_.path(), GetParam().name);
  for (const KvType type : {KvType::f32, KvType::f16, KvType::i8}) {
    Sequence sequence = both.sequence(type);
    both.read(sequence, some_ids(19, both.vocab()), 2);
    both.read(sequence, some_ids(1, both.vocab()), 1);
  }
}

TEST_P(DeviceSequences, ChunksOfPositionsAreMergedAsOnTheHost) {
  Both both(directory_.path(), GetParam().name);
  Sequence sequence = both.sequence(KvType::f16);
  both.read(sequence, some_ids(255, both.vocab()), 1);
  for (int i = 0; i < 4; ++i) both.read(sequence, some_ids(1, both.vocab()), 1);  // 256 to 259
  both.read(sequence, some_ids(270, both.vocab()), 1);
  both.read(sequence, some_ids(1, both.vocab()), 1);
}

TEST_P(DeviceSequences, LongPromptsGoInTiles) {
  if (GetParam().order == cuda::emulated::Order::backwards) return;
  Both both(directory_.path(), GetParam().name, true);
  Sequence sequence = both.sequence(KvType::f16);
  both.read(sequence, some_ids(DeviceSequence::kTile + 3, both.vocab()), 5);  // of both tiles
  both.choose(sequence, some_ids(1, both.vocab()));
  sequence.length = 2;
  both.choose(sequence, some_ids(DeviceSequence::kTile + 1, both.vocab()));
}

TEST_P(DeviceSequences, AChoiceEndsPromptsAndTokens) {
  Both both(directory_.path(), GetParam().name, true);
  Sequence sequence = both.sequence(KvType::f16);
  both.choose(sequence, some_ids(5, both.vocab()));
  for (int i = 0; i < 3; ++i) both.choose(sequence, some_ids(1, both.vocab()));
  both.read(sequence, some_ids(1, both.vocab()), 1);  // another graph
  both.read(sequence, some_ids(3, both.vocab()), 3);  // which are made anew
  both.choose(sequence, some_ids(300, both.vocab()));
  for (int i = 0; i < 2; ++i) both.choose(sequence, some_ids(1, both.vocab()));
  for (int i = 0; i < 3; ++i) both.choose(sequence, some_ids(1, both.vocab()), 1, false);
}

TEST_P(DeviceSequences, ChoicesOfSeveralStatesAreGraphsToo) {
  Both both(directory_.path(), GetParam().name, true);
  Sequence sequence = both.sequence(KvType::f16);
  both.choose(sequence, some_ids(5, both.vocab()), 3);
  for (const size_t states : {4, 2, 4, 4, 8, 2, 8}) {
    const Ids ids = some_ids(static_cast<int64_t>(states), both.vocab());
    both.choose(sequence, ids, states);
    both.choose(sequence, ids, states, false);
  }
  EXPECT_FALSE(sequence.device->can_choose(9, 9));
  EXPECT_FALSE(sequence.device->can_choose(1100, 2));
  EXPECT_TRUE(sequence.device->can_choose(1100, 1));
}

TEST_P(DeviceSequences, CachesGoToTheHostAndBack) {
  Both both(directory_.path(), GetParam().name);
  for (const KvType type : {KvType::f32, KvType::f16, KvType::i8}) {
    Sequence one = both.sequence(type);
    const Ids ids = some_ids(37, both.vocab());
    both.read(one, ids, 1);
    const KvCache between = KvCache::create(both.model().config, 40, type).value();
    ASSERT_TRUE(one.device->get_cache(between, 37).ok());
    Sequence other = both.sequence(type);
    ASSERT_TRUE(other.device->put_cache(between, 35).ok());
    std::swap(one.cache, other.cache);  // the host's, which has read them
    other.length = 35;
    both.read(other, some_ids(3, both.vocab()), 1);
  }
}

TEST_P(DeviceSequences, TwoOnOneDeviceDoNotMeet) {
  Both both(directory_.path(), GetParam().name);
  Sequence one = both.sequence(KvType::f16);
  Sequence other = both.sequence(KvType::f16);
  both.read(one, some_ids(4, both.vocab()), 1);
  both.read(other, some_ids(9, both.vocab()), 1);
  both.read(one, some_ids(1, both.vocab()), 1);
  both.read(other, some_ids(1, both.vocab()), 1);
}

INSTANTIATE_TEST_SUITE_P(Devices, DeviceSequences, testing::ValuesIn(cuda::test_devices()));

}  // namespace
}  // namespace rsr::model
