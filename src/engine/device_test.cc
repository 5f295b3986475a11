// Sessions on a device: the text, the errors and the limits are those of the CPU.
#include <filesystem>

#include "cuda/test_device.h"
#include "engine/tiny_engine.h"
#include "rsr/perplexity.h"

namespace rsr {
namespace {

class OnDevice : public TinyEngine {
 protected:
  OnDevice() { cuda::add_backend(&cuda::emulated::backend()); }

  Engine open_on(const std::string& device, const EngineOptions& others = {}) {
    EngineOptions options = others;
    options.context.threads = 2;
    options.device = device;
    return open(options);
  }
  std::string error_of(const EngineOptions& options) {
    write();
    const auto engine = Engine::open(directory_.path(), options);
    return engine.status().message();
  }
};

TEST_F(OnDevice, AnswersAreThoseOfTheCpu) {
  const Engine cpu = open_on("cpu");
  const Engine device = open_on("emulated");
  Session a = cpu.session();
  Session b = device.session();
  const std::string turns[] = {"Write the numbers from one to ten", "and on, please"};
  for (const GenerateOptions& options :
       {GenerateOptions{.max_tokens = 6},
        GenerateOptions{.max_tokens = 6, .temperature = 0.8f, .seed = 3},
        GenerateOptions{.max_tokens = 6, .temperature = 2.0f, .top_k = 0, .top_p = 0.9f, .seed = 4},
        GenerateOptions{.max_tokens = 6, .draft = Draft::ngram}}) {
    for (const std::string& turn : turns)
      EXPECT_EQ(answer(a, turn, options), answer(b, turn, options));
    EXPECT_EQ(a.tokens(), b.tokens());
    a.reset();
    b.reset();
  }
}

/// Answers of a device that scans the head, and of the CPU with all logits.
class ScanOnDevice : public OnDevice {
 protected:
  void expect_same(const GenerateOptions& options, bool scanned = true) {
    const std::string turns[] = {"Write the numbers from one to ten", "and on, please", "one, one"};
    for (const std::string& turn : turns) {
      const auto want = full_.generate(turn, options, nullptr).value();
      const auto got = scan_.generate(turn, options, nullptr).value();
      EXPECT_EQ(full_.tokens(), scan_.tokens());
      EXPECT_EQ(want.new_tokens, got.new_tokens);
      EXPECT_EQ(got.head_candidates > 0, scanned);
    }
    if (options.seed % 2 == 0) return;  // the context goes on
    full_.reset();
    scan_.reset();
  }

  Engine cpu_ = open_on("cpu", {.head = HeadMethod::full});
  Engine device_ = open_on("emulated", {.head = HeadMethod::scan});
  Session full_ = cpu_.session();
  Session scan_ = device_.session();
};

TEST_F(ScanOnDevice, GreedyAnswersAreThoseOfTheCpu) {
  expect_same({.max_tokens = 6});
  expect_same({.max_tokens = 25, .repetition_penalty = 1.3f});
  expect_same({.max_tokens = 6, .presence_penalty = 1.5f, .frequency_penalty = 0.5f, .seed = 1});
  expect_same({.max_tokens = 6, .frequency_penalty = -1.0f, .logit_bias = {{5, 3.0f}, {7, -9.0f}}});
}

TEST_F(ScanOnDevice, SampledAnswersAreThoseOfTheCpu) {
  for (uint64_t seed = 1; seed < 4; ++seed) {
    expect_same({.max_tokens = 5, .temperature = 0.8f, .top_k = 5, .seed = seed});
    expect_same({.max_tokens = 5, .temperature = 3.0f, .top_k = 40, .top_p = 0.7f, .seed = seed});
    expect_same({.max_tokens = 5,
                 .temperature = 2.0f,
                 .top_k = 9,
                 .min_p = 0.2f,
                 .repetition_penalty = 1.2f,
                 .seed = seed});
    expect_same({.max_tokens = 5, .temperature = 1.0f, .min_p = 0.1f, .seed = seed});
  }
}

TEST_F(ScanOnDevice, DraftsAndSamplersOfAllLogitsTakeTurnsWithScans) {
  expect_same({.max_tokens = 6, .temperature = 1.0f, .top_k = 0, .seed = 3}, false);
  expect_same({.max_tokens = 20, .draft = Draft::ngram});
  expect_same({.max_tokens = 20, .frequency_penalty = 0.5f, .draft = Draft::ngram});
  expect_same(
      {.max_tokens = 20, .temperature = 0.7f, .top_k = 3, .seed = 5, .draft = Draft::ngram});
  expect_same({.max_tokens = 20,
               .temperature = 0.5f,
               .top_k = 0,
               .top_p = 0.8f,
               .repetition_penalty = 0.9f,
               .seed = 7,
               .draft = Draft::ngram},
              false);
}

TEST_F(ScanOnDevice, ATokenReadsTheFormAndItsCandidates) {
  const auto stats = scan_.generate("one, two", {.max_tokens = 2}, nullptr).value();
  const model::DeviceModel& model = *device_.impl().device;
  const double row = 2.0 * static_cast<double>(tiny_.sizes.hidden);
  const auto position = static_cast<double>(
      model::KvCache::bytes_per_position(device_.impl().model.config, device_.impl().kv_type));
  const auto first = static_cast<double>(scan_.tokens().size() - 2);
  EXPECT_DOUBLE_EQ(stats.bytes_per_token,
                   static_cast<double>(model.layer_bytes() + model.head_scan->bytes()) +
                       stats.head_candidates * row + (first + 0.5) * position);
  EXPECT_FALSE(device_.impl().model.head_scan.has_value());  // not twice
}

TEST_F(ScanOnDevice, SmallHeadsAreNotScannedUnlessAsked) {
  EXPECT_TRUE(device_.impl().device->head_scan.has_value());
  EXPECT_FALSE(open_on("emulated").impl().device->head_scan.has_value());
}

TEST_F(OnDevice, StatesThatAreNotFiniteAreAnErrorWithAScan) {
  std::string& norm = tiny_.tensors["model.norm.weight"].bytes;
  for (size_t i = 0; i < norm.size(); i += 2) norm.replace(i, 2, "\x7f\x7f");  // 3.4e38
  const Engine engine = open_on("emulated", {.head = HeadMethod::scan});
  Session session = engine.session();
  EXPECT_EQ(session.generate("x", {}, nullptr).status().code(), ErrorCode::corrupt_data);
}

TEST_F(OnDevice, ALongPromptIsReadInTilesAndMayBeCancelled) {
  tiny_ = TinyModel({.vocab = kVocab + 8, .layers = 1, .positions = 1300, .tied = false}, 3);
  const std::string prompt(model::DeviceSequence::kTile + 100, '\x01');  // a token each
  const Engine device = open_on("emulated");
  Session session = device.session();
  Collector cancelled{.pieces = {}, .end = 1};
  const auto stats = session.generate(prompt, {.max_tokens = 2, .raw = true}, cancelled.callback());
  ASSERT_TRUE(stats.ok());
  EXPECT_EQ(stats->finish, FinishReason::cancelled);
  const Engine cpu = open_on("cpu");
  Session other = cpu.session();
  const GenerateOptions two{.max_tokens = 2, .raw = true};
  EXPECT_EQ(answer(session, prompt, two), answer(other, prompt, two));
}

TEST_F(OnDevice, AnotherDeviceOfItsKindServes) {
  const Engine second = open_on("emulated:1");
  Session session = second.session();
  EXPECT_TRUE(session.generate("one", {.max_tokens = 1}, {}).ok());
}

TEST_F(OnDevice, PerplexityIsThatOfTheCpu) {
  const Engine cpu = open_on("cpu");
  const Engine device = open_on("emulated");
  const std::string text = "one, two, three, four, five, six and seven, eight, nine, ten";
  for (const std::optional<KvCacheType> kv : {std::optional<KvCacheType>(), {KvCacheType::i8}}) {
    const PerplexityOptions options{
        .window = 16, .stride = 5, .kv_cache = kv, .other_kv_cache = kv};
    const auto a = perplexity(cpu, text, options).value();
    const auto b = perplexity(device, text, options).value();
    EXPECT_EQ(a.mean_nll, b.mean_nll);
    EXPECT_EQ(a.predicted_tokens, b.predicted_tokens);
    const auto both = compare_models(cpu, device, text, options).value();
    EXPECT_EQ(both.nll_difference, 0);
  }
}

TEST_F(OnDevice, WhatIsForTheCpuIsRefused) {
  EXPECT_NE(error_of({.device = "tpu"}).find("device 'tpu' is unknown"), std::string::npos);
  EXPECT_NE(error_of({.device = "emulated:7"}).find("there are 2 devices"), std::string::npos);
  EXPECT_NE(
      error_of({.device = "emulated", .rsr_memory = 1}).find("rsr_memory is for the device cpu"),
      std::string::npos);
}

TEST_F(OnDevice, PromptCachesAreReadAndWritten) {
  const std::string path = directory_.file("prompt.kv");
  const GenerateOptions options{.max_tokens = 4, .temperature = 1.0f, .seed = 2, .raw = true};
  const std::string prompt = "one, two, three, four" + std::string(300, '\x01');
  for (const KvCacheType type : {KvCacheType::f32, KvCacheType::f16, KvCacheType::i8}) {
    std::filesystem::remove(path);
    const Engine engine = open_on("emulated", {.kv_cache = type});
    Session writer = engine.session();
    EXPECT_FALSE(writer.save_prompt_cache(path).value());
    answer(writer, prompt + " five", options);
    EXPECT_TRUE(writer.save_prompt_cache(path).value());
    EXPECT_FALSE(writer.save_prompt_cache(path).value());
    Session plain = engine.session();
    Session reader = engine.session();
    EXPECT_GE(reader.load_prompt_cache(path).value(), 300);
    const auto stats = reader.generate(prompt + " six", options, nullptr).value();
    EXPECT_GE(stats.cached_tokens, 300);
    EXPECT_EQ(plain.generate(prompt + " six", options, nullptr).value().cached_tokens, 0);
    EXPECT_EQ(reader.tokens(), plain.tokens());
    EXPECT_TRUE(reader.save_prompt_cache(path).value());
    Session on_cpu = open_on("cpu", {.kv_cache = type}).session();
    EXPECT_NE(on_cpu.load_prompt_cache(path).status().message().find("device sm_90; here it is"),
              std::string::npos);
  }
}

}  // namespace
}  // namespace rsr
