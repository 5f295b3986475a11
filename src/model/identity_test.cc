// Which model it is: the same files in any number of threads, and no byte less.
#include "model/identity.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <set>

#include "base/checksum.h"
#include "model/checked_header.h"
#include "model/forward.h"
#include "model/kv_cache.h"
#include "model/tiny_model.h"
#include "model/write_prepared.h"

namespace rsr::model {
namespace {

class Identity : public testing::Test {
 protected:
  std::string of(const std::string& directory, const Context& context) const {
    return model_identity(context.impl().pool, load_model(context.impl(), directory).value());
  }
  std::string of_tiny() const {
    tiny_.write(directory_.path());
    return of(directory_.path(), context_);
  }

  Context context_ = Context::create({.threads = 2}).value();
  TinyModel tiny_;
  TempDirectory directory_;
};

TEST_F(Identity, SaysTheFamilyAndTheSizes) {
  EXPECT_EQ(of_tiny().find("bitnet, 2 layers of 64, weights "), 0u);
}

TEST_F(Identity, ThreadsAndPlaceDoNotCount) {
  const std::string first = of_tiny();
  const TempDirectory elsewhere;
  tiny_.write(elsewhere.path());
  EXPECT_EQ(of(elsewhere.path(), Context::create({.threads = 5}).value()), first);
}

TEST_F(Identity, EveryTensorAndTheConfigCount) {
  std::set<std::string> seen = {of_tiny()};
  size_t count = 1;
  for (auto& [name, tensor] : tiny_.tensors) {
    // A code of a ternary weight, the last bit of a float: in the middle, where no sample would be.
    char& byte = tensor.bytes[tensor.bytes.size() / 2 / 2 * 2];
    const char old = byte;
    byte = static_cast<char>(tensor.dtype != "U8" ? byte ^ 1 : byte == 0 ? 1 : 0);
    seen.insert(of_tiny());
    EXPECT_EQ(seen.size(), ++count) << name;
    byte = old;
  }
  tiny_.config["rope_theta"] = 20000.0;
  seen.insert(of_tiny());
  EXPECT_EQ(seen.size(), ++count);
}

TEST_F(Identity, APreparedModelIsKnownByItsHeader) {
  const std::string plain = of_tiny();
  const TempDirectory prepared;
  std::filesystem::copy(directory_.file("config.json"), prepared.file("config.json"));
  const auto prepare = [&] {
    std::filesystem::remove(prepared.file(kPreparedFile));
    EXPECT_TRUE(write_prepared(context_.impl(), directory_.path(), prepared.file(kPreparedFile),
                               base::Isa::reference, {})
                    .ok());
    return of(prepared.path(), context_);
  };
  const std::string first = prepare();
  EXPECT_NE(first, plain);
  EXPECT_EQ(prepare(), first);
  tiny_.tensors["model.layers.1.mlp.up_proj.weight"].bytes[100] = 0;
  tiny_.tensors["model.layers.1.mlp.up_proj.weight"].bytes[101] = 0;
  tiny_.write(directory_.path());
  EXPECT_NE(prepare(), first);
}

TEST_F(Identity, TheArithmeticIsThatOfKernelsAndProcessor) {
  tiny_.write(directory_.path());
  const Context reference = Context::create({.isa = "reference"}).value();
  const Model model = load_model(reference.impl(), directory_.path()).value();
  const std::string text = arithmetic_identity(reference.impl(), model);
  EXPECT_EQ(text.find("2, rsr "), 0u) << text;
  EXPECT_NE(text.find(", kernels reference, processor "), std::string::npos) << text;
  EXPECT_NE(text.find(", float formats none"), std::string::npos) << text;
  const Context threads = Context::create({.threads = 3, .isa = "reference"}).value();
  EXPECT_EQ(arithmetic_identity(threads.impl(), model), text);
}

TEST(ArithmeticVersion, KeysAndValuesKeepTheirBits) {
  // If a change of the code makes this fail, old prompt caches do not fit any more: raise
  // kArithmeticVersion, and write the new values here.
  const std::map<std::string, std::string> expected = {{"bitnet_packed", "8eb627e343a80524"},
                                                       {"bitlinear_llama3", "d5ceccb8565d6c53"},
                                                       {"rope_llama3", "9d2070577d0f268b"},
                                                       {"dense_fp16", "d51372dbcbd58519"},
                                                       {"trilm", "27cf918572be4ffe"}};
  ASSERT_EQ(kArithmeticVersion, 2);
  const Context context = Context::create({.threads = 2, .isa = "reference"}).value();
  for (const auto& [name, hash] : expected) {
    const std::string directory = std::string(RSR_SOURCE_DIR "/tests/golden/models/") + name;
    const Model model = load_model(context.impl(), directory).value();
    base::PiecewiseChecksum sum;
    for (const KvType type : {KvType::f32, KvType::f16, KvType::i8}) {
      const std::vector<int32_t> ids = {3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9, 3};
      Sequence sequence(KvCache::create(model.config, 16, type).value());
      forward(context.impl(), model, sequence, ids);
      for (int64_t layer = 0; layer < model.config.num_layers; ++layer) {
        const auto head = sequence.cache.chunk(layer, 0, 0, 16);
        const int64_t element = type == KvType::f32 ? 4 : type == KvType::f16 ? 2 : 1;
        const auto bytes = static_cast<size_t>(16 * model.config.head_dim * element);
        sum.add({static_cast<const std::byte*>(head.keys), bytes});
        sum.add({static_cast<const std::byte*>(head.values), bytes});
      }
    }
    EXPECT_EQ(hex(sum.value()), hash) << name;
  }
}

}  // namespace
}  // namespace rsr::model
