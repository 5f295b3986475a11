// How the tensors of a model are named, and which ones its config asks for.
#pragma once

#include <array>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model/config.h"

namespace rsr::model {

/// The linears of a layer, in the order in which a token meets them.
enum class Projection { q, k, v, o, gate, up, down };
inline constexpr std::array kProjections = {Projection::q,   Projection::k,    Projection::v,
                                            Projection::o,   Projection::gate, Projection::up,
                                            Projection::down};

/// Its name within a layer's tensors: "self_attn.q_proj".
const char* projection_name(Projection projection);

/// Its rows and columns.
std::pair<int64_t, int64_t> projection_shape(const ModelConfig& config, Projection projection);

/// Name of a layer's tensor: "model.layers.3." and `rest`.
std::string layer_name(int64_t layer, std::string_view rest);

inline constexpr const char* kEmbedding = "model.embed_tokens.weight";
inline constexpr const char* kFinalNorm = "model.norm.weight";
// The name of the head in the library, and the one that a converter of Falcon3 writes.
inline constexpr const char* kHead = "lm_head.weight";
inline constexpr const char* kOtherHead = "model.lm_head.weight";

/// The norms of a layer, by their names within it, and their sizes.
inline constexpr const char* kInputNorm = "input_layernorm.weight";
inline constexpr const char* kAttentionNorm = "post_attention_layernorm.weight";
inline constexpr const char* kAttnSubNorm = "self_attn.attn_sub_norm.weight";
inline constexpr const char* kFfnSubNorm = "mlp.ffn_sub_norm.weight";
std::vector<std::pair<const char*, int64_t>> layer_norms(const ModelConfig& config);

/// What belongs to the linear `module`. A prepared ternary weight is an image (prepared.h).
inline std::string weight_name(const std::string& module) {
  return module + ".weight";
}
inline std::string scale_name(const std::string& module) {
  return module + ".weight_scale";
}
inline std::string linear_norm_name(const std::string& module) {
  return module + ".rms_norm.weight";
}
inline std::string image_name(const std::string& module) {
  return module + ".rsr_weight";
}

/// Every name that a tensor of the model may have, in a prepared file or in any other.
std::set<std::string, std::less<>> expected_names(const ModelConfig& config, bool prepared);

}  // namespace rsr::model
