#include "model/rope.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>
#include <string>

namespace rsr::model {
namespace {

using base::Json;

TEST(Rope, RopeTurnsPairsOfHalves) {
  const auto frequencies = rope_frequencies({.theta = 100.0}, 4);
  EXPECT_DOUBLE_EQ(frequencies[0], 1.0);
  EXPECT_DOUBLE_EQ(frequencies[1], 0.1);
  float cosine[2];
  float sine[2];
  rope_angles(5, frequencies, cosine, sine);
  std::vector<float> x = {1, 0, 0, 2, /* second head */ 0, 1, 0, 0};
  rotate(cosine, sine, 2, x.data());
  EXPECT_FLOAT_EQ(x[0], static_cast<float>(std::cos(5.0)));
  EXPECT_FLOAT_EQ(x[2], static_cast<float>(std::sin(5.0)));
  EXPECT_FLOAT_EQ(x[1], static_cast<float>(-2 * std::sin(0.5)));
  EXPECT_FLOAT_EQ(x[3], static_cast<float>(2 * std::cos(0.5)));
  EXPECT_FLOAT_EQ(x[5], static_cast<float>(std::cos(0.5)));
  EXPECT_FLOAT_EQ(x[7], static_cast<float>(std::sin(0.5)));
}

TEST(Rope, LinearDividesEveryFrequency) {
  const auto plain = rope_frequencies({.theta = 10000}, 8);
  const auto scaled =
      rope_frequencies({.scaling = RopeScaling::linear, .theta = 10000, .factor = 4}, 8);
  for (size_t i = 0; i < plain.size(); ++i) EXPECT_DOUBLE_EQ(scaled[i], plain[i] / 4);
}

TEST(Rope, Llama3KeepsHighDividesLowAndBlendsBetween) {
  const Rope rope = {.scaling = RopeScaling::llama3,
                     .theta = 10000,
                     .factor = 8,
                     .low_freq_factor = 1,
                     .high_freq_factor = 4,
                     .original_positions = 64};
  const auto plain = rope_frequencies({.theta = 10000}, 32);
  const auto scaled = rope_frequencies(rope, 32);
  int kinds[3] = {};
  for (size_t i = 0; i < plain.size(); ++i) {
    // As the definition has it, by wavelengths.
    const double wavelength = 2 * std::numbers::pi / plain[i];
    double expected = 0;
    if (wavelength < 64.0 / 4) {
      expected = plain[i];
      ++kinds[0];
    } else if (wavelength > 64.0) {
      expected = plain[i] / 8;
      ++kinds[1];
    } else {
      const double smooth = (64 / wavelength - 1) / (4 - 1);
      expected = (1 - smooth) * plain[i] / 8 + smooth * plain[i];
      ++kinds[2];
    }
    EXPECT_NEAR(scaled[i], expected, 1e-15) << i;
  }
  for (const int count : kinds) EXPECT_GT(count, 0);
}

const char* const kLlama3 =
    R"({"rope_type": "llama3", "factor": 8, "low_freq_factor": 1, "high_freq_factor": 4,
        "original_max_position_embeddings": 8192})";

TEST(Rope, BothSpellingsMeanTheSame) {
  for (const char* key : {"rope_scaling", "rope_parameters"}) {
    Json json = {{"rope_theta", 500000}, {key, Json::parse(kLlama3)}};
    const Rope outside = read_rope(json).value();
    EXPECT_EQ(outside.scaling, RopeScaling::llama3);
    EXPECT_EQ(outside.theta, 500000);
    EXPECT_EQ(outside.factor, 8);
    EXPECT_EQ(outside.original_positions, 8192);
    json.erase("rope_theta");
    json[key]["rope_theta"] = 500000;
    EXPECT_EQ(read_rope(json).value(), outside);
  }
  const Json old = {{"rope_theta", 1e4}, {"rope_scaling", {{"type", "linear"}, {"factor", 2}}}};
  EXPECT_EQ(read_rope(old)->scaling, RopeScaling::linear);
  EXPECT_EQ(read_rope(old)->factor, 2);
}

TEST(Rope, BothSpellingsAtOnceMustAgree) {
  Json json = {{"rope_scaling", Json::parse(kLlama3)}, {"rope_parameters", Json::parse(kLlama3)}};
  json["rope_parameters"]["rope_theta"] = 10000;
  EXPECT_TRUE(read_rope(json).ok());
  json["rope_parameters"]["factor"] = 9;
  EXPECT_FALSE(read_rope(json).ok());
  json["rope_scaling"] = {{"type", "default"}};
  EXPECT_FALSE(read_rope(json).ok());
}

/// The message for a config with this rope_scaling.
std::string refusal(const std::string& scaling) {
  const Json json = {{"rope_theta", 10000}, {"rope_scaling", Json::parse(scaling)}};
  const auto rope = read_rope(json);
  EXPECT_FALSE(rope.ok()) << scaling;
  return rope.status().message();
}

TEST(Rope, RefusesByName) {
  for (const char* type : {"yarn", "dynamic", "longrope", "su"}) {
    const std::string text = std::string(R"({"type": ")") + type + R"(", "factor": 2})";
    EXPECT_NE(refusal(text).find(std::string("\"rope_scaling\": type \"") + type),
              std::string::npos);
  }
  EXPECT_NE(refusal("[1]").find("is no object"), std::string::npos);
  EXPECT_NE(refusal(R"({"type": 3})").find("type"), std::string::npos);
  EXPECT_NE(refusal(R"({"type": "linear"})").find("\"factor\" is missing"), std::string::npos);
  EXPECT_NE(refusal(R"({"type": "linear", "factor": 0})").find("\"factor\" is 0"),
            std::string::npos);
  for (const char* key :
       {"factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings"}) {
    Json llama3 = Json::parse(kLlama3);
    llama3.erase(key);
    EXPECT_NE(refusal(llama3.dump()).find(key), std::string::npos);
  }
  Json llama3 = Json::parse(kLlama3);
  llama3["low_freq_factor"] = 4;
  EXPECT_NE(refusal(llama3.dump()).find("must be below"), std::string::npos);
}

}  // namespace
}  // namespace rsr::model
