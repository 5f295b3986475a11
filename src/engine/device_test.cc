// Sessions on a device: the text, the errors and the limits are those of the CPU.
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
        GenerateOptions{.max_tokens = 6, .draft = Draft::ngram}}) {
    for (const std::string& turn : turns)
      EXPECT_EQ(answer(a, turn, options), answer(b, turn, options));
    EXPECT_EQ(a.tokens(), b.tokens());
    a.reset();
    b.reset();
  }
}

TEST_F(OnDevice, ALongPromptIsReadInTilesAndMayBeCancelled) {
  std::string prompt;
  for (int i = 0; i < 300; ++i) prompt += " one,";
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

TEST_F(OnDevice, WhatIsForTheCpuIsRefused) {
  EXPECT_NE(error_of({.device = "tpu"}).find("device 'tpu' is unknown"), std::string::npos);
  EXPECT_NE(error_of({.device = "emulated:7"}).find("there are 2 devices"), std::string::npos);
  EXPECT_NE(
      error_of({.device = "emulated", .rsr_memory = 1}).find("rsr_memory is for the device cpu"),
      std::string::npos);
  EXPECT_NE(error_of({.device = "emulated", .head = HeadMethod::scan}).find("head \"scan\""),
            std::string::npos);
  const Engine engine = open_on("emulated");
  EXPECT_EQ(perplexity(engine, "one, two").status().code(), ErrorCode::invalid_argument);
  Session session = engine.session();
  EXPECT_NE(session.load_prompt_cache("some.file").status().message().find("device cpu"),
            std::string::npos);
}

}  // namespace
}  // namespace rsr
