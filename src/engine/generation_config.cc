#include "engine/generation_config.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "base/file.h"
#include "base/json.h"
#include "text/chat_template.h"

namespace rsr::engine {
namespace {

using base::Json;

constexpr size_t kFileLimit = size_t{16} << 20;

/// The file's content, or null when there is no such file.
Result<Json> read_optional(const std::string& path) {
  if (!base::file_exists(path)) return Json();
  return base::read_json(path, kFileLimit);
}

Result<float> read_temperature(const Json& json) {
  RSR_ASSIGN_OR_RETURN(const bool sampling, base::json_bool(json, "do_sample", false));
  RSR_ASSIGN_OR_RETURN(const double temperature, base::json_number(json, "temperature", 1.0));
  const auto value = static_cast<float>(temperature);
  if (!std::isfinite(value) || value < 0.0f) {
    return base::error(ErrorCode::corrupt_data, "\"temperature\" is ", temperature,
                       ", must be finite and not negative");
  }
  return sampling ? value : 0.0f;
}

Status read_file(const std::string& path, GenerationConfig* config) {
  RSR_ASSIGN_OR_RETURN(const Json json, read_optional(path));
  const Result<float> temperature = read_temperature(json);
  if (!temperature.ok()) return temperature.status().with_context(path);
  config->temperature = *temperature;
  const Result<std::vector<int32_t>> ids = model::read_token_ids(json, "eos_token_id");
  if (!ids.ok()) return ids.status().with_context(path);
  config->stop_ids.insert(config->stop_ids.end(), ids->begin(), ids->end());
  return {};
}

}  // namespace

Result<GenerationConfig> read_generation_config(const std::string& directory,
                                                const model::ModelConfig& model,
                                                const text::Tokenizer& tokenizer,
                                                std::string_view chat_template) {
  GenerationConfig config;
  config.stop_ids = model.eos_token_ids;
  RSR_RETURN_IF_ERROR(read_file(directory + "/generation_config.json", &config));
  RSR_ASSIGN_OR_RETURN(const text::TemplateTokens tokens, text::find_template_tokens(directory));
  if (const auto id = tokenizer.find(tokens.eos)) config.stop_ids.push_back(*id);
  for (const std::string_view end_of_turn : {"<|eot_id|>", "<|im_end|>"}) {
    if (chat_template.find(end_of_turn) == std::string_view::npos) continue;
    if (const auto id = tokenizer.find(end_of_turn)) config.stop_ids.push_back(*id);
  }
  std::sort(config.stop_ids.begin(), config.stop_ids.end());
  config.stop_ids.erase(std::unique(config.stop_ids.begin(), config.stop_ids.end()),
                        config.stop_ids.end());
  return config;
}

}  // namespace rsr::engine
