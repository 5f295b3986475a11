// How a model's makers want it to generate: default sampling, and the ids that end an answer.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "model/config.h"
#include "rsr/status.h"
#include "text/tokenizer.h"

namespace rsr::engine {

struct GenerationConfig {
  /// What generation_config.json sets when it asks to sample; greedy where it does not, or is
  /// missing. The meaning of each is told at GenerateOptions.
  float temperature = 0.0f;
  int64_t top_k = 0;
  float top_p = 1.0f;
  /// What generation_config.json sets, whether it asks to sample or not.
  float repetition_penalty = 1.0f;
  /// Sorted; the union of the end-of-text ids of config.json, generation_config.json and
  /// tokenizer_config.json, and the end-of-turn token that the chat template writes.
  std::vector<int32_t> stop_ids;
};

Result<GenerationConfig> read_generation_config(const std::string& directory,
                                                const model::ModelConfig& model,
                                                const text::Tokenizer& tokenizer,
                                                std::string_view chat_template);

}  // namespace rsr::engine
