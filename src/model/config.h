// What a model is, as plain data: sizes and choices read from config.json, checked once.
//
// A family differs from another in these values, not in code of its own: the forward pass asks the
// data (is there a sub norm? which activation?) and never for the family's name.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/json.h"
#include "model/quantization.h"
#include "model/rope.h"
#include "rsr/status.h"

namespace rsr::model {

/// What the feed-forward block does with gate and up.
enum class Activation {
  relu2,  ///< max(gate, 0)^2 * up
  silu    ///< gate / (1 + exp(-gate)) * up
};

struct ModelConfig {
  std::string model_type;
  int64_t vocab_size = 0;
  int64_t hidden_size = 0;
  int64_t intermediate_size = 0;
  int64_t num_layers = 0;
  int64_t num_heads = 0;
  int64_t num_kv_heads = 0;
  int64_t head_dim = 0;
  int64_t max_positions = 0;
  float rms_norm_eps = 0;
  Rope rope;
  Activation activation = Activation::relu2;
  Quantization quantization;
  /// An RMSNorm before o_proj and one before down_proj.
  bool has_sub_norms = false;
  /// The head is the embedding table.
  bool tied_head = false;
  /// Begin-of-text id, -1 when the file names none.
  int64_t bos_token_id = -1;
  std::vector<int32_t> eos_token_ids;

  /// Elements of one token's queries, and of its keys (or values).
  int64_t q_dim() const { return num_heads * head_dim; }
  int64_t kv_dim() const { return num_kv_heads * head_dim; }
};

/// A config.json may have so many bytes.
inline constexpr size_t kConfigLimit = size_t{16} << 20;

/// Reads a parsed config.json. What is not understood is refused with its name and value.
Result<ModelConfig> parse_config(const base::Json& json);

/// Reads config.json of a model directory.
Result<ModelConfig> read_config(const std::string& directory);

/// Token ids under `key`: an integer, a list of integers, or nothing.
Result<std::vector<int32_t>> read_token_ids(const base::Json& json, const char* key);

}  // namespace rsr::model
