#include "model/quantization.h"

#include "base/check.h"

namespace rsr::model {
namespace {

using base::error;
using base::Json;

// What transformers takes when use_rms_norm is set and no eps is given.
constexpr double kDefaultNormEps = 1e-6;

/// A string that must be one of two; the first of them when it is missing.
Result<bool> is_second(const Json& object, const char* key, const char* first, const char* second) {
  RSR_ASSIGN_OR_RETURN(const std::string value, base::json_string(object, key, first));
  if (value != first && value != second) {
    return error(ErrorCode::unsupported, "\"", key, "\": \"", value, "\" is not supported (\"",
                 first, "\" or \"", second, "\")");
  }
  return value == second;
}

Result<std::vector<std::string>> read_names(const Json& object, const char* key) {
  std::vector<std::string> names;
  const Json* list = base::json_find(object, key);
  if (list == nullptr) return names;
  if (!list->is_array()) return error(ErrorCode::corrupt_data, "\"", key, "\" is no list");
  for (const Json& name : *list) {
    if (!name.is_string() || name.get_ref<const std::string&>().empty()) {
      return error(ErrorCode::corrupt_data, "\"", key, "\": ", name.dump(), " is no name");
    }
    names.push_back(name.get<std::string>());
  }
  return names;
}

Status read_linear_norms(const Json& object, Quantization* quantization) {
  RSR_ASSIGN_OR_RETURN(quantization->linear_norms, base::json_bool(object, "use_rms_norm", false));
  RSR_ASSIGN_OR_RETURN(const double eps,
                       base::json_number(object, "rms_norm_eps", kDefaultNormEps));
  if (!(eps >= 1e-12 && eps <= 1)) {
    return error(ErrorCode::corrupt_data, "\"rms_norm_eps\" of \"quantization_config\" is ", eps,
                 ", must be 1e-12 to 1");
  }
  quantization->linear_norm_eps = static_cast<float>(eps);
  return {};
}

}  // namespace

bool Quantization::keeps(std::string_view module) const {
  for (const std::string& name : not_converted) {
    if (module.ends_with(name) || module == name || module.starts_with(name + ".")) return true;
  }
  return false;
}

Result<Quantization> read_quantization(const Json& json) {
  Quantization quantization;
  const Json* found = base::json_find(json, "quantization_config");
  if (found == nullptr) {
    // Such a file has packed tensors of class BitLinear, or was dequantised and forgot the key.
    RSR_ASSIGN_OR_RETURN(const bool bitnet, base::json_bool(json, "is_bitnet_config", false));
    if (bitnet) quantization.scale_rule = ScaleRule::divide;
    return quantization;
  }
  if (!found->is_object()) {
    return error(ErrorCode::corrupt_data, "\"quantization_config\" is no object");
  }
  const Json& object = *found;
  RSR_ASSIGN_OR_RETURN(const std::string method, base::json_require_string(object, "quant_method"));
  if (method != "bitnet") {
    return error(ErrorCode::unsupported, "\"quant_method\": \"", method,
                 R"(" is not supported (only "bitnet"))");
  }
  RSR_ASSIGN_OR_RETURN(const bool automatic,
                       is_second(object, "linear_class", "bitlinear", "autobitlinear"));
  RSR_ASSIGN_OR_RETURN(const bool online,
                       is_second(object, "quantization_mode", "offline", "online"));
  quantization.scale_rule = automatic ? ScaleRule::multiply : ScaleRule::divide;
  // BitLinear has no online mode: the library reads packed weights whatever the mode says.
  quantization.float_weights = automatic && online ? FloatWeights::masters : FloatWeights::refused;
  RSR_ASSIGN_OR_RETURN(quantization.not_converted, read_names(object, "modules_to_not_convert"));
  RSR_RETURN_IF_ERROR(read_linear_norms(object, &quantization));
  return quantization;
}

}  // namespace rsr::model
