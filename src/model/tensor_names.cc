#include "model/tensor_names.h"

namespace rsr::model {

const char* projection_name(Projection projection) {
  switch (projection) {
    case Projection::q:
      return "self_attn.q_proj";
    case Projection::k:
      return "self_attn.k_proj";
    case Projection::v:
      return "self_attn.v_proj";
    case Projection::o:
      return "self_attn.o_proj";
    case Projection::gate:
      return "mlp.gate_proj";
    case Projection::up:
      return "mlp.up_proj";
    case Projection::down:
      return "mlp.down_proj";
  }
  return "";
}

std::pair<int64_t, int64_t> projection_shape(const ModelConfig& config, Projection projection) {
  switch (projection) {
    case Projection::q:
      return {config.q_dim(), config.hidden_size};
    case Projection::k:
    case Projection::v:
      return {config.kv_dim(), config.hidden_size};
    case Projection::o:
      return {config.hidden_size, config.q_dim()};
    case Projection::gate:
    case Projection::up:
      return {config.intermediate_size, config.hidden_size};
    case Projection::down:
      return {config.hidden_size, config.intermediate_size};
  }
  return {0, 0};
}

std::string layer_name(int64_t layer, std::string_view rest) {
  return "model.layers." + std::to_string(layer) + "." + std::string(rest);
}

std::vector<std::pair<const char*, int64_t>> layer_norms(const ModelConfig& config) {
  std::vector<std::pair<const char*, int64_t>> norms = {{kInputNorm, config.hidden_size},
                                                        {kAttentionNorm, config.hidden_size}};
  if (config.has_sub_norms) {
    norms.emplace_back(kAttnSubNorm, config.q_dim());
    norms.emplace_back(kFfnSubNorm, config.intermediate_size);
  }
  return norms;
}

std::set<std::string, std::less<>> expected_names(const ModelConfig& config, bool prepared) {
  std::set<std::string, std::less<>> names = {kEmbedding, kFinalNorm, kHead};
  if (!prepared) names.insert(kOtherHead);
  for (int64_t layer = 0; layer < config.num_layers; ++layer) {
    for (const auto& [name, size] : layer_norms(config)) names.insert(layer_name(layer, name));
    for (const Projection projection : kProjections) {
      const std::string module = layer_name(layer, projection_name(projection));
      names.insert(weight_name(module));
      if (config.quantization.linear_norms) names.insert(linear_norm_name(module));
      if (prepared) {
        names.insert(image_name(module));
      } else if (config.quantization.scale_rule.has_value()) {
        names.insert(scale_name(module));
      }
    }
  }
  return names;
}

}  // namespace rsr::model
