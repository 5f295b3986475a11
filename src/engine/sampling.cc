#include "engine/sampling.h"

#include <cmath>

#include "base/check.h"
#include "text/utf8.h"

namespace rsr::engine {
namespace {

template <class Value>
Status refuse(const char* name, Value value, const char* rule) {
  return base::error(ErrorCode::invalid_argument, name, " is ", value, ", must be ", rule);
}

/// NaN is in no range.
bool within(float value, float low, float high) {
  return value >= low && value <= high;
}

Status check_min_p(float value) {
  if (within(value, 0.0f, 1.0f)) return {};
  return refuse("min_p", value, "from 0 to 1");
}

/// OpenAI's range, the same for presence and frequency.
Status check_count_penalty(const char* name, float value) {
  if (within(value, -2.0f, 2.0f)) return {};
  return refuse(name, value, "from -2 to 2");
}

Status check_logit_bias(const std::map<int32_t, float>& biases, int32_t vocab_size) {
  for (const auto& [id, bias] : biases) {
    if (id < 0 || id >= vocab_size) {
      return base::error(ErrorCode::invalid_argument, "logit_bias names the token id ", id,
                         ", must be 0 to ", vocab_size - 1);
    }
    if (!within(bias, -100.0f, 100.0f)) {
      return base::error(ErrorCode::invalid_argument, "logit_bias of token ", id, " is ", bias,
                         ", must be from -100 to 100");
    }
  }
  return {};
}

Status check_stop(const std::vector<std::string>& stops) {
  for (const std::string& stop : stops) {
    if (stop.empty()) return refuse("stop", "an empty string", "text");
    if (text::find_invalid_utf8(stop)) return refuse("stop", "not UTF-8", "valid UTF-8");
  }
  return {};
}

}  // namespace

Status check_temperature(const char* name, float value) {
  if (std::isfinite(value) && value >= 0.0f) return {};
  return refuse(name, value, "finite and not negative");
}

Status check_top_k(const char* name, int64_t value) {
  if (value >= 0) return {};
  return refuse(name, value, "positive, or 0 for no limit");
}

Status check_top_p(const char* name, float value) {
  if (value > 0.0f && value <= 1.0f) return {};
  return refuse(name, value, "above 0 and at most 1");
}

Status check_repetition_penalty(const char* name, float value) {
  if (std::isfinite(value) && value > 0.0f) return {};
  return refuse(name, value, "finite and above 0");
}

Status check_options(const GenerateOptions& options, int32_t vocab_size) {
  if (options.max_tokens < 0) return refuse("max_tokens", options.max_tokens, "0 or more");
  RSR_RETURN_IF_ERROR(check_temperature("temperature", options.temperature.value_or(0.0f)));
  RSR_RETURN_IF_ERROR(check_top_k("top_k", options.top_k.value_or(0)));
  RSR_RETURN_IF_ERROR(check_top_p("top_p", options.top_p.value_or(1.0f)));
  RSR_RETURN_IF_ERROR(check_min_p(options.min_p));
  RSR_RETURN_IF_ERROR(
      check_repetition_penalty("repetition_penalty", options.repetition_penalty.value_or(1.0f)));
  RSR_RETURN_IF_ERROR(check_count_penalty("presence_penalty", options.presence_penalty));
  RSR_RETURN_IF_ERROR(check_count_penalty("frequency_penalty", options.frequency_penalty));
  RSR_RETURN_IF_ERROR(check_logit_bias(options.logit_bias, vocab_size));
  return check_stop(options.stop);
}

Sampling choose_sampling(const GenerateOptions& options, const GenerationConfig& defaults) {
  return {
      .temperature = options.temperature.value_or(defaults.temperature),
      .top_k = options.top_k.value_or(defaults.top_k),
      .top_p = options.top_p.value_or(defaults.top_p),
      .min_p = options.min_p,
      .repetition_penalty = options.repetition_penalty.value_or(defaults.repetition_penalty),
      .presence_penalty = options.presence_penalty,
      .frequency_penalty = options.frequency_penalty,
      .logit_bias = options.logit_bias,
      .seed = options.seed,
  };
}

}  // namespace rsr::engine
