// A model's weights, checked against its config and prepared for multiplication.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "io/safetensors.h"
#include "linear/context.h"
#include "linear/head_scan_form.h"
#include "model/config.h"
#include "model/dense_table.h"
#include "model/linear_layer.h"
#include "rsr/status.h"

namespace rsr::model {

/// The linears of a layer, in the order in which a token meets them.
enum class Projection { q, k, v, o, gate, up, down };
inline constexpr std::array kProjections = {Projection::q,   Projection::k,    Projection::v,
                                            Projection::o,   Projection::gate, Projection::up,
                                            Projection::down};

/// Its name within a layer's tensors: "self_attn.q_proj".
const char* projection_name(Projection projection);

struct LayerWeights {
  std::vector<float> input_norm;      // [hidden]
  std::vector<float> attention_norm;  // [hidden], after attention
  std::vector<float> attn_sub_norm;   // [q_dim], before o; empty: the model has none
  std::vector<float> ffn_sub_norm;    // [intermediate], before down; empty: the model has none
  std::vector<Linear> projections;    // by Projection

  const Linear& at(Projection projection) const {
    return projections[static_cast<size_t>(projection)];
  }
};

/// Everything that forward() reads; immutable. Owns the mapping of the files.
struct Model {
  ModelConfig config = {};
  DenseTable embedding = {};           // [vocab, hidden]
  DenseTable head = {};                // [vocab, hidden]; views the embedding when it is tied
  std::vector<float> final_norm = {};  // [hidden]
  std::vector<LayerWeights> layers = {};
  std::vector<double> rope_frequencies = {};  // [head_dim / 2]
  io::TensorStore store;
  /// The head in eight bits, for linear/head_scan.h; empty: not wanted.
  std::optional<linear::HeadScanForm> head_scan = {};

  /// Bytes that one token reads besides its keys and values: all layers, norms and the full head.
  int64_t weight_bytes() const;
};

/// Loads a model directory. Errors name the tensor: one that is missing or that nothing here
/// understands, a wrong shape or type, an invalid code, a number that is not finite. The layers are
/// prepared on all threads of the context.
Result<Model> load_model(Context::Impl& context, const std::string& directory);

}  // namespace rsr::model
