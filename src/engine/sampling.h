// What a generation samples by: the caller's options over the model's defaults, and their checks.
#pragma once

#include <cstdint>
#include <map>

#include "engine/generation_config.h"
#include "rsr/engine.h"
#include "rsr/status.h"

namespace rsr::engine {

/// Every value as it holds, none left open; the meaning of each is told at GenerateOptions.
struct Sampling {
  float temperature = 0.0f;
  int64_t top_k = 0;
  float top_p = 1.0f;
  float min_p = 0.0f;
  float repetition_penalty = 1.0f;
  float presence_penalty = 0.0f;
  float frequency_penalty = 0.0f;
  std::map<int32_t, float> logit_bias = {};
  uint64_t seed = 0;
};

/// The range of each value, by the name that messages give it.
Status check_temperature(const char* name, float value);
Status check_top_k(const char* name, int64_t value);
Status check_top_p(const char* name, float value);
Status check_repetition_penalty(const char* name, float value);

/// An error that names the first option out of its range. `vocab_size` bounds the biased ids.
Status check_options(const GenerateOptions& options, int32_t vocab_size);

/// The options of one generation, checked before.
Sampling choose_sampling(const GenerateOptions& options, const GenerationConfig& defaults);

}  // namespace rsr::engine
