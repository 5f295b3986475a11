#include "engine/generation_config.h"

#include <gtest/gtest.h>

#include <string>

#include "engine/tiny_engine.h"

namespace rsr {
namespace {

TEST_F(TinyEngine, SamplingOfTheModelHoldsWhenItAsksToSample) {
  const std::string values = R"("temperature": 0.5, "top_k": 7, "top_p": 0.5,)"
                             R"( "repetition_penalty": 1.5})";
  write_file("generation_config.json", R"({"do_sample": true, )" + values);
  const auto asked = open().impl().generation;
  EXPECT_EQ(asked.temperature, 0.5f);
  EXPECT_EQ(asked.top_k, 7);
  EXPECT_EQ(asked.top_p, 0.5f);
  EXPECT_EQ(asked.repetition_penalty, 1.5f);
  write_file("generation_config.json", R"({"do_sample": false, )" + values);
  const auto silent = open().impl().generation;
  EXPECT_EQ(silent.temperature, 0.0f);
  EXPECT_EQ(silent.top_k, 0);
  EXPECT_EQ(silent.top_p, 1.0f);
  EXPECT_EQ(silent.repetition_penalty, 1.5f);  // greedy or not, as Hugging Face has it
  for (const char* bad : {"\"top_k\": -1", "\"top_p\": 0", "\"repetition_penalty\": 0",
                          "\"temperature\": -1", "\"top_k\": 1.5"}) {
    write_file("generation_config.json", "{" + std::string(bad) + "}");
    const Status status = Engine::open(directory_.path()).status();
    EXPECT_EQ(status.code(), ErrorCode::corrupt_data) << bad;
    EXPECT_NE(status.message().find("generation_config.json"), std::string::npos);
  }
}

TEST_F(TinyEngine, RepetitionPenaltyOfTheModelHoldsWhenGreedy) {
  const auto tokens = [&](const char* config, const GenerateOptions& options) {
    write_file("generation_config.json", config);
    Engine engine = open();
    Session session = engine.session();
    EXPECT_TRUE(session.generate("one", options, nullptr).ok());
    return session.tokens();
  };
  const GenerateOptions plain = {.max_tokens = 12, .ignore_eos = true};
  GenerateOptions penalised = plain;
  penalised.repetition_penalty = 3.0f;
  const Ids expected = tokens("{}", penalised);
  EXPECT_NE(expected, tokens("{}", plain));
  EXPECT_EQ(expected, tokens(R"({"do_sample": false, "repetition_penalty": 3.0})", plain));
  EXPECT_EQ(expected, tokens(R"({"repetition_penalty": 3.0})", plain));
}

}  // namespace
}  // namespace rsr
