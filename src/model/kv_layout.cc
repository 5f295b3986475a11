#include "model/kv_layout.h"

#include "io/header.h"

namespace rsr::model {

KvOwner kv_owner(const ModelConfig& config, KvType type) {
  return {.model = {},
          .arithmetic = {},
          .type = type,
          .layers = config.num_layers,
          .heads = config.num_kv_heads,
          .head_dim = config.head_dim,
          .vocab = config.vocab_size};
}

std::byte* KvPart::place(const kernels::KvAppend& head) const {
  void* const places[] = {head.keys, head.values, head.key_scales, head.value_scales};
  return static_cast<std::byte*>(places[kind]);
}

std::string KvPart::tensor_name(int64_t layer) const {
  constexpr const char* kNames[] = {"keys", "values", "key_scales", "value_scales"};
  return "layers." + std::to_string(layer) + "." + kNames[kind];
}

std::vector<KvPart> kv_parts(const KvOwner& owner, int64_t tokens) {
  constexpr io::DType kTypes[] = {io::DType::f32, io::DType::f16, io::DType::i8};
  constexpr int64_t kLanes = kernels::kKvLanes;
  const io::DType dtype = kTypes[static_cast<int>(owner.type)];
  const int64_t element = io::dtype_bits(dtype) / 8;
  const int64_t blocks = (tokens + kLanes - 1) / kLanes;
  const int64_t stride = (owner.head_dim + kLanes - 1) / kLanes * kLanes;
  std::vector<KvPart> parts = {
      {KvPart::keys,
       dtype,
       {owner.heads, blocks, owner.head_dim, kLanes},
       kLanes,
       kLanes * owner.head_dim * element},
      {KvPart::values, dtype, {owner.heads, tokens, stride}, 1, stride * element}};
  if (owner.type != KvType::i8) return parts;
  for (const KvPart::Kind kind : {KvPart::key_scales, KvPart::value_scales}) {
    parts.push_back({kind, io::DType::f32, {owner.heads, tokens}, 1, sizeof(float)});
  }
  return parts;
}

}  // namespace rsr::model
