#include "model/config.h"

#include "base/check.h"
#include "kernels/attention/attention.h"

namespace rsr::model {
namespace {

using base::error;
using base::Json;

// Far above every known model, and low enough that no product of sizes comes near 2^63.
constexpr int64_t kMaxVocab = int64_t{1} << 24;
constexpr int64_t kMaxWidth = int64_t{1} << 20;
constexpr int64_t kMaxLayers = 1024;
constexpr int64_t kMaxHeads = 1024;
constexpr int64_t kMaxHeadDim = kernels::kMostHeadDim;
constexpr int64_t kMaxPositions = int64_t{1} << 24;

Status refuse(const char* key, const std::string& value, const std::string& supported) {
  return error(ErrorCode::unsupported, "\"", key, "\": ", value, " is not supported (", supported,
               ")");
}

/// What a model_type fixes by itself; all else stands in the file.
struct Family {
  const char* model_type;
  bool has_sub_norms;
  /// A file without quantization_config lost it: its floats would be masters read as weights.
  bool needs_quantization;
};
constexpr Family kFamilies[] = {
    {.model_type = "bitnet", .has_sub_norms = true, .needs_quantization = true},
    {.model_type = "llama", .has_sub_norms = false, .needs_quantization = false},
};

/// A required integer of 1 to `max`.
Result<int64_t> size_of(const Json& json, const char* key, int64_t max) {
  RSR_ASSIGN_OR_RETURN(const int64_t value, base::json_require_int(json, key));
  if (value < 1 || value > max) {
    return error(ErrorCode::corrupt_data, "\"", key, "\" is ", value, ", must be 1 to ", max);
  }
  return value;
}

/// A switch that must be off, or absent.
Status require_off(const Json& json, const char* key) {
  RSR_ASSIGN_OR_RETURN(const bool value, base::json_bool(json, key, false));
  return value ? refuse(key, "true", "only false") : Status();
}

Status read_sizes(const Json& json, ModelConfig* config) {
  RSR_ASSIGN_OR_RETURN(config->vocab_size, size_of(json, "vocab_size", kMaxVocab));
  RSR_ASSIGN_OR_RETURN(config->hidden_size, size_of(json, "hidden_size", kMaxWidth));
  RSR_ASSIGN_OR_RETURN(config->intermediate_size, size_of(json, "intermediate_size", kMaxWidth));
  RSR_ASSIGN_OR_RETURN(config->num_layers, size_of(json, "num_hidden_layers", kMaxLayers));
  RSR_ASSIGN_OR_RETURN(config->num_heads, size_of(json, "num_attention_heads", kMaxHeads));
  RSR_ASSIGN_OR_RETURN(config->max_positions,
                       size_of(json, "max_position_embeddings", kMaxPositions));
  config->num_kv_heads = config->num_heads;
  if (base::json_find(json, "num_key_value_heads") != nullptr) {
    RSR_ASSIGN_OR_RETURN(config->num_kv_heads, size_of(json, "num_key_value_heads", kMaxHeads));
  }
  if (config->num_heads % config->num_kv_heads != 0) {
    return error(ErrorCode::corrupt_data, "\"num_attention_heads\" is ", config->num_heads,
                 ", not a multiple of \"num_key_value_heads\" ", config->num_kv_heads);
  }
  return {};
}

Status read_head_dim(const Json& json, ModelConfig* config) {
  if (base::json_find(json, "head_dim") != nullptr) {
    RSR_ASSIGN_OR_RETURN(config->head_dim, size_of(json, "head_dim", kMaxHeadDim));
  } else if (config->hidden_size % config->num_heads != 0) {
    return error(ErrorCode::corrupt_data, "\"hidden_size\" is ", config->hidden_size,
                 ", not a multiple of \"num_attention_heads\" ", config->num_heads,
                 ", and there is no \"head_dim\"");
  } else {
    config->head_dim = config->hidden_size / config->num_heads;
  }
  // Rotary embedding turns pairs of elements.
  if (config->head_dim % 2 != 0 || config->head_dim > kMaxHeadDim) {
    return error(ErrorCode::corrupt_data, "head dimension is ", config->head_dim,
                 ", must be even and at most ", kMaxHeadDim);
  }
  return {};
}

Status read_norm_eps(const Json& json, ModelConfig* config) {
  RSR_ASSIGN_OR_RETURN(const double eps, base::json_number(json, "rms_norm_eps", 0));
  if (!(eps >= 1e-12 && eps <= 1)) {
    return error(ErrorCode::corrupt_data, "\"rms_norm_eps\" is ", eps, ", must be 1e-12 to 1");
  }
  config->rms_norm_eps = static_cast<float>(eps);
  return {};
}

Status read_activation(const Json& json, ModelConfig* config) {
  RSR_ASSIGN_OR_RETURN(const std::string name, base::json_require_string(json, "hidden_act"));
  if (name == "relu2") {
    config->activation = Activation::relu2;
  } else if (name == "silu") {
    config->activation = Activation::silu;
  } else {
    return refuse("hidden_act", "\"" + name + "\"", R"(only "relu2" or "silu")");
  }
  return {};
}

Status read_family(const Json& json, ModelConfig* config) {
  RSR_ASSIGN_OR_RETURN(config->model_type, base::json_require_string(json, "model_type"));
  std::string known;
  for (const Family& family : kFamilies) {
    known += std::string(known.empty() ? "" : ", ") + "\"" + family.model_type + "\"";
    if (config->model_type != family.model_type) continue;
    config->has_sub_norms = family.has_sub_norms;
    if (family.needs_quantization && base::json_find(json, "quantization_config") == nullptr) {
      return error(ErrorCode::unsupported,
                   "\"quantization_config\" is missing: nothing says how the weights of a \"",
                   family.model_type, "\" model are to be read");
    }
    return {};
  }
  return refuse("model_type", "\"" + config->model_type + "\"", "only " + known);
}

Status read_tokens(const Json& json, ModelConfig* config) {
  RSR_ASSIGN_OR_RETURN(config->bos_token_id, base::json_int(json, "bos_token_id", -1));
  RSR_ASSIGN_OR_RETURN(config->eos_token_ids, read_token_ids(json, "eos_token_id"));
  return {};
}

}  // namespace

Result<std::vector<int32_t>> read_token_ids(const Json& json, const char* key) {
  const Json* value = base::json_find(json, key);
  std::vector<int32_t> ids;
  if (value == nullptr) return ids;
  const Json list = value->is_array() ? *value : Json::array({*value});
  for (const Json& item : list) {
    if (!item.is_number_integer() || item < 0 || item > INT32_MAX) {
      return error(ErrorCode::corrupt_data, "\"", key, "\": ", item.dump(), " is no token id");
    }
    ids.push_back(item.get<int32_t>());
  }
  return ids;
}

Result<ModelConfig> parse_config(const Json& json) {
  if (!json.is_object()) return error(ErrorCode::corrupt_data, "not a JSON object");
  ModelConfig config;
  RSR_RETURN_IF_ERROR(read_family(json, &config));
  RSR_RETURN_IF_ERROR(read_sizes(json, &config));
  RSR_RETURN_IF_ERROR(read_head_dim(json, &config));
  RSR_RETURN_IF_ERROR(read_norm_eps(json, &config));
  RSR_ASSIGN_OR_RETURN(config.rope, read_rope(json));
  RSR_RETURN_IF_ERROR(read_activation(json, &config));
  RSR_ASSIGN_OR_RETURN(config.quantization, read_quantization(json));
  RSR_RETURN_IF_ERROR(read_tokens(json, &config));
  RSR_RETURN_IF_ERROR(require_off(json, "attention_bias"));
  RSR_RETURN_IF_ERROR(require_off(json, "mlp_bias"));
  // transformers leaves a key out when it has its class default, which is false for both families.
  RSR_ASSIGN_OR_RETURN(config.tied_head, base::json_bool(json, "tie_word_embeddings", false));
  return config;
}

Result<ModelConfig> read_config(const std::string& directory) {
  const std::string path = directory + "/config.json";
  RSR_ASSIGN_OR_RETURN(const Json json, base::read_json(path, kConfigLimit));
  Result<ModelConfig> config = parse_config(json);
  if (!config.ok()) return config.status().with_context(path);
  return config;
}

}  // namespace rsr::model
