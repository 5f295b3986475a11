#include "model/rope.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <optional>

#include "base/check.h"

namespace rsr::model {
namespace {

using base::error;
using base::Json;

constexpr double kMaxTheta = 1e12;
constexpr double kMaxFactor = 1e6;
constexpr double kMaxPositions = 1 << 24;

/// A required number of `low` to `high`.
Result<double> number(const Json& rope, const char* key, double low, double high) {
  if (base::json_find(rope, key) == nullptr) {
    return error(ErrorCode::corrupt_data, "\"", key, "\" is missing");
  }
  RSR_ASSIGN_OR_RETURN(const double value, base::json_number(rope, key, 0));
  if (!(value >= low && value <= high)) {
    return error(ErrorCode::corrupt_data, "\"", key, "\" is ", value, ", must be ", low, " to ",
                 high);
  }
  return value;
}

Status check_not_partial(const Json& json) {
  RSR_ASSIGN_OR_RETURN(const double part, base::json_number(json, "partial_rotary_factor", 1));
  if (part == 1) return {};
  return error(ErrorCode::unsupported, "\"partial_rotary_factor\": ", part,
               " is not supported (only 1)");
}

Status read_llama3(const Json& object, Rope* rope) {
  RSR_ASSIGN_OR_RETURN(rope->low_freq_factor, number(object, "low_freq_factor", 1e-6, kMaxFactor));
  RSR_ASSIGN_OR_RETURN(rope->high_freq_factor,
                       number(object, "high_freq_factor", 1e-6, kMaxFactor));
  RSR_ASSIGN_OR_RETURN(rope->original_positions,
                       number(object, "original_max_position_embeddings", 1, kMaxPositions));
  if (rope->low_freq_factor >= rope->high_freq_factor) {
    return error(ErrorCode::corrupt_data, "\"low_freq_factor\" is ", rope->low_freq_factor,
                 ", must be below \"high_freq_factor\" ", rope->high_freq_factor);
  }
  return {};
}

/// One of the two objects; `theta` is the one of the whole file, 0 when it has none.
Result<Rope> read_object(const Json& object, double theta) {
  if (!object.is_object()) return error(ErrorCode::corrupt_data, "is no object");
  Rope rope;
  RSR_ASSIGN_OR_RETURN(const std::string old, base::json_string(object, "type", "default"));
  RSR_ASSIGN_OR_RETURN(const std::string type, base::json_string(object, "rope_type", old));
  if (type == "linear" || type == "llama3") {
    RSR_ASSIGN_OR_RETURN(rope.factor, number(object, "factor", 1, kMaxFactor));
    rope.scaling = type == "linear" ? RopeScaling::linear : RopeScaling::llama3;
  } else if (type != "default") {
    return error(ErrorCode::unsupported, "type \"", type,
                 R"(" is not supported ("default", "linear" or "llama3"))");
  }
  if (type == "llama3") RSR_RETURN_IF_ERROR(read_llama3(object, &rope));
  RSR_ASSIGN_OR_RETURN(rope.theta, base::json_number(object, "rope_theta", theta));
  if (theta != 0 && rope.theta != theta) {
    return error(ErrorCode::corrupt_data, "\"rope_theta\" is ", rope.theta, ", and ", theta,
                 " outside of it");
  }
  RSR_RETURN_IF_ERROR(check_not_partial(object));
  return rope;
}

}  // namespace

Result<Rope> read_rope(const Json& json) {
  RSR_RETURN_IF_ERROR(check_not_partial(json));
  Rope rope;
  RSR_ASSIGN_OR_RETURN(rope.theta, base::json_number(json, "rope_theta", 0));
  std::optional<Rope> old;
  for (const char* key : {"rope_scaling", "rope_parameters"}) {
    const Json* object = base::json_find(json, key);
    if (object == nullptr) continue;
    Result<Rope> read = read_object(*object, rope.theta);
    if (!read.ok()) return read.status().with_context("\"" + std::string(key) + "\"");
    rope = *read;
    if (old.has_value()) old->theta = rope.theta;  // it may stand in one of them only
    if (old.has_value() && *old != rope) {
      return error(ErrorCode::corrupt_data,
                   "\"rope_scaling\" and \"rope_parameters\" contradict each other");
    }
    old = rope;
  }
  if (!(rope.theta >= 1 && rope.theta <= kMaxTheta)) {
    return error(ErrorCode::corrupt_data, "\"rope_theta\" is ", rope.theta, ", must be 1 to ",
                 kMaxTheta);
  }
  return rope;
}

std::vector<double> rope_frequencies(const Rope& rope, int64_t head_dim) {
  std::vector<double> frequencies(static_cast<size_t>(head_dim / 2));
  for (size_t i = 0; i < frequencies.size(); ++i) {
    const double exponent = -2.0 * static_cast<double>(i) / static_cast<double>(head_dim);
    const double plain = std::pow(rope.theta, exponent);
    double kept = 0;  // share of the frequency that is not divided
    switch (rope.scaling) {
      case RopeScaling::none:
        kept = 1;
        break;
      case RopeScaling::linear:
        break;
      case RopeScaling::llama3: {
        const double turns = rope.original_positions * plain / (2 * std::numbers::pi);
        const double ramp = rope.high_freq_factor - rope.low_freq_factor;
        kept = std::clamp((turns - rope.low_freq_factor) / ramp, 0.0, 1.0);
      }
    }
    frequencies[i] = (1 - kept) * plain / rope.factor + kept * plain;
  }
  return frequencies;
}

void rope_angles(int64_t position, std::span<const double> frequencies, float* cosine,
                 float* sine) noexcept {
  for (size_t i = 0; i < frequencies.size(); ++i) {
    const double angle = static_cast<double>(position) * frequencies[i];
    cosine[i] = static_cast<float>(std::cos(angle));
    sine[i] = static_cast<float>(std::sin(angle));
  }
}

void rotate(std::span<const float> cosine, std::span<const float> sine, int64_t heads,
            float* x) noexcept {
  const size_t half = cosine.size();
  for (int64_t head = 0; head < heads; ++head, x += 2 * half) {
    for (size_t i = 0; i < half; ++i) {
      const float x0 = x[i];
      const float x1 = x[i + half];
      x[i] = x0 * cosine[i] - x1 * sine[i];
      x[i + half] = x0 * sine[i] + x1 * cosine[i];
    }
  }
}

}  // namespace rsr::model
