// A model's weights, checked against its config and prepared for multiplication.
#pragma once

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
#include "model/prepared.h"
#include "model/tensor_names.h"
#include "rsr/status.h"

namespace rsr::model {

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
  uint64_t config_hash = 0;                   // checksum of config.json's bytes
  io::TensorStore store;
  std::optional<PreparedFile> prepared = {};  // the file, when the directory is a prepared one
  std::string notice = {};                    // what had to be repacked, for people
  /// The head in eight bits, for linear/head_scan.h; empty: not wanted.
  std::optional<linear::HeadScanForm> head_scan = {};

  /// Bytes that one token reads besides its keys and values: all layers, norms and the full head.
  int64_t weight_bytes() const;
};

/// Loads a model directory, prepared or not. A prepared one is mapped and read in place, looked at
/// as `check` says; the weights of any other are packed. Errors name the tensor: one that is
/// missing or that nothing here understands, a wrong shape or type, an invalid code, a number that
/// is not finite. The layers are prepared on all threads of the context.
Result<Model> load_model(Context::Impl& context, const std::string& directory,
                         FileCheck check = FileCheck::quick);

/// The embedding or the head, [vocab, hidden]: always dense. `check`: every number is finite.
Result<DenseTable> load_table(Context::Impl& context, const ModelConfig& config,
                              const io::TensorStore& store, const std::string& name,
                              bool check = true);

/// Which of its names the head has.
const char* head_name(const io::TensorStore& store);

/// The error of the first tensor that the graph of the config has no place for. Extra tensors of a
/// prepared file are passed over.
Status check_no_unexpected(const ModelConfig& config, const io::TensorStore& store, bool prepared);

}  // namespace rsr::model
