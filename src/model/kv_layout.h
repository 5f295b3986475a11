// How keys and values lie in a file (model/kv_file.h), part by part.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "io/safetensors.h"
#include "model/config.h"
#include "model/kv_cache.h"

namespace rsr::model {

/// Whose keys and values they are: caches of equal owners may be exchanged, and no others.
struct KvOwner {
  std::string model;       // model_identity()
  std::string arithmetic;  // arithmetic_identity()
  KvType type = KvType::f16;
  int64_t layers = 0;
  int64_t heads = 0;  // of keys
  int64_t head_dim = 0;
  int64_t vocab = 0;  // ids are below it
};

/// An owner without its two texts.
KvOwner kv_owner(const ModelConfig& config, KvType type);

/// A tensor of each layer. Positions come in units (16 of keys are interleaved), those of a head
/// one after the other, the same in a file and in a cache; in a file, heads have no gap.
struct KvPart {
  enum Kind : uint8_t { keys, values, key_scales, value_scales };
  Kind kind;
  io::DType dtype;
  std::vector<int64_t> shape;  // in the file, heads first
  int64_t unit_positions;
  int64_t unit_bytes;

  /// Bytes of a head's first `count` positions.
  size_t bytes(int64_t count) const {
    return static_cast<size_t>((count + unit_positions - 1) / unit_positions * unit_bytes);
  }
  /// Where it begins in the head of a cache.
  std::byte* place(const kernels::KvAppend& head) const;
  std::string tensor_name(int64_t layer) const;
};

/// The parts of every layer for a file of so many tokens.
std::vector<KvPart> kv_parts(const KvOwner& owner, int64_t tokens);

}  // namespace rsr::model
