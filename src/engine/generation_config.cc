#include "engine/generation_config.h"

#include <algorithm>

#include "base/check.h"
#include "base/file.h"
#include "base/json.h"
#include "engine/sampling.h"
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

Status read_sampling(const Json& json, GenerationConfig* config) {
  RSR_ASSIGN_OR_RETURN(const bool sampling, base::json_bool(json, "do_sample", false));
  RSR_ASSIGN_OR_RETURN(const double temperature, base::json_number(json, "temperature", 1.0));
  RSR_ASSIGN_OR_RETURN(const int64_t top_k, base::json_int(json, "top_k", 0));
  RSR_ASSIGN_OR_RETURN(const double top_p, base::json_number(json, "top_p", 1.0));
  RSR_ASSIGN_OR_RETURN(const double penalty, base::json_number(json, "repetition_penalty", 1.0));
  GenerationConfig read;
  read.temperature = static_cast<float>(temperature);
  read.top_k = top_k;
  read.top_p = static_cast<float>(top_p);
  read.repetition_penalty = static_cast<float>(penalty);
  RSR_RETURN_IF_ERROR(check_temperature("\"temperature\"", read.temperature));
  RSR_RETURN_IF_ERROR(check_top_k("\"top_k\"", read.top_k));
  RSR_RETURN_IF_ERROR(check_top_p("\"top_p\"", read.top_p));
  RSR_RETURN_IF_ERROR(check_repetition_penalty("\"repetition_penalty\"", read.repetition_penalty));
  // transformers' generate() penalises repetition whether it samples or not; the rest shapes the
  // probabilities that it draws by, so that greedy it has no place.
  if (sampling) *config = read;
  config->repetition_penalty = read.repetition_penalty;
  return {};
}

Status read_file(const std::string& path, GenerationConfig* config) {
  RSR_ASSIGN_OR_RETURN(const Json json, read_optional(path));
  const Status sampling = read_sampling(json, config);
  // The options' checks speak of arguments; here the file is wrong.
  if (!sampling.ok()) return base::error(ErrorCode::corrupt_data, path, ": ", sampling.message());
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
  RSR_RETURN_IF_ERROR(read_file(directory + "/generation_config.json", &config));
  config.stop_ids.insert(config.stop_ids.end(), model.eos_token_ids.begin(),
                         model.eos_token_ids.end());
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
