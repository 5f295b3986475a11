// What a config.json says about the numbers in the projections (the linear layers of a model).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "rsr/status.h"

namespace rsr::model {

/// How the stored weight_scale becomes the factor of a packed ternary matrix.
enum class ScaleRule {
  multiply,  ///< AutoBitLinear: the stored number is the factor
  divide     ///< BitLinear: the stored number is one over the factor
};

/// What a projection means that is stored as floats instead of packed.
enum class FloatWeights {
  as_stored,  ///< nothing but their values: multiplied as they are, activations not quantised
  masters,    ///< ternarised by their absmean while loading: AutoBitLinear online
  refused     ///< the config says that projections are packed
};

struct Quantization {
  /// Empty: nothing says how to read a weight_scale, so a packed tensor is refused.
  std::optional<ScaleRule> scale_rule;
  FloatWeights float_weights = FloatWeights::as_stored;
  /// An RMSNorm of its own before each linear, with its own eps.
  bool linear_norms = false;
  float linear_norm_eps = 0;
  /// Modules that stay as they are stored: whole names, or how they begin or end.
  std::vector<std::string> not_converted;

  /// True when `module` ("model.layers.0.mlp.up_proj") is one of not_converted.
  bool keeps(std::string_view module) const;
};

/// Reads quantization_config, and the old is_bitnet_config. Packed tensors are told by their type,
/// so what is read here is only how to understand them.
Result<Quantization> read_quantization(const base::Json& json);

}  // namespace rsr::model
