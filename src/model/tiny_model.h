// For tests: model directories with small random weights, made on the spot.
#pragma once

#include <bit>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <vector>

namespace rsr::model {

/// A folder that is removed with its content.
class TempDirectory {
 public:
  TempDirectory() {
    std::string name = (std::filesystem::temp_directory_path() / "rsr_test_XXXXXX").string();
    path_ = mkdtemp(name.data());
  }
  TempDirectory(const TempDirectory&) = delete;
  TempDirectory& operator=(const TempDirectory&) = delete;
  ~TempDirectory() { std::filesystem::remove_all(path_); }

  const std::string& path() const { return path_; }
  std::string file(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

struct TinyTensor {
  std::string dtype;
  std::vector<int64_t> shape;
  std::string bytes;
};
using TinyTensors = std::map<std::string, TinyTensor>;

inline void write_safetensors(const std::string& path, const TinyTensors& tensors) {
  nlohmann::json header = nlohmann::json::object();
  size_t at = 0;
  for (const auto& [name, tensor] : tensors) {
    const size_t end = at + tensor.bytes.size();
    header[name] = {{"dtype", tensor.dtype}, {"shape", tensor.shape}, {"data_offsets", {at, end}}};
    at = end;
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');
  std::ofstream out(path, std::ios::binary);
  const uint64_t size = text.size();
  out.write(reinterpret_cast<const char*>(&size), sizeof size);
  out << text;
  for (const auto& [name, tensor] : tensors) out << tensor.bytes;
}

struct TinySizes {
  int64_t vocab = 48;
  int64_t hidden = 64;
  int64_t intermediate = 96;
  int64_t layers = 2;
  int64_t heads = 4;
  int64_t kv_heads = 2;
  int64_t head_dim = 16;
  int64_t positions = 1200;
  bool tied = true;
  bool divide = false;  // BitLinear scales instead of AutoBitLinear's
};

/// A BitNet model: what its files hold, and the numbers that are meant by it.
struct TinyModel {
  TinySizes sizes;
  nlohmann::json config;
  TinyTensors tensors;
  std::map<std::string, std::vector<int8_t>> ternary;  // by module, row-major
  std::map<std::string, float> scales;                 // by module, the factor
  std::map<std::string, std::vector<float>> floats;    // by tensor name

  explicit TinyModel(const TinySizes& wanted = {}, uint32_t seed = 1)
      : sizes(wanted), random_(seed) {
    make_config();
    add_floats("model.embed_tokens.weight", {sizes.vocab, sizes.hidden}, 0.0f, 1.0f);
    add_floats("model.norm.weight", {sizes.hidden}, 1.0f, 0.3f);
    if (!sizes.tied) add_floats("lm_head.weight", {sizes.vocab, sizes.hidden}, 0.0f, 1.0f);
    for (int64_t i = 0; i < sizes.layers; ++i) add_layer("model.layers." + std::to_string(i) + ".");
  }

  void write(const std::string& directory) const {
    write_safetensors(directory + "/model.safetensors", tensors);
    std::ofstream(directory + "/config.json") << config.dump();
  }

 private:
  void make_config() {
    config = {{"model_type", "bitnet"},
              {"hidden_act", "relu2"},
              {"vocab_size", sizes.vocab},
              {"hidden_size", sizes.hidden},
              {"intermediate_size", sizes.intermediate},
              {"num_hidden_layers", sizes.layers},
              {"num_attention_heads", sizes.heads},
              {"num_key_value_heads", sizes.kv_heads},
              {"head_dim", sizes.head_dim},
              {"max_position_embeddings", sizes.positions},
              {"rope_theta", 10000.0},
              {"rms_norm_eps", 1e-5},
              {"tie_word_embeddings", sizes.tied},
              {"quantization_config",
               {{"quant_method", "bitnet"},
                {"linear_class", sizes.divide ? "bitlinear" : "autobitlinear"},
                {"quantization_mode", "offline"}}}};
  }

  /// Uniform numbers within `spread` of `centre`, as bf16.
  void add_floats(const std::string& name, const std::vector<int64_t>& shape, float centre,
                  float spread) {
    size_t count = 1;
    for (const int64_t size : shape) count *= static_cast<size_t>(size);
    TinyTensor tensor = {"BF16", shape, {}};
    std::uniform_real_distribution<float> uniform(centre - spread, centre + spread);
    std::vector<float>& values = floats[name];
    for (size_t i = 0; i < count; ++i) {
      const uint32_t high = std::bit_cast<uint32_t>(uniform(random_)) & 0xffff0000u;
      values.push_back(std::bit_cast<float>(high));
      tensor.bytes += static_cast<char>(high >> 16 & 0xff);
      tensor.bytes += static_cast<char>(high >> 24);
    }
    tensors[name] = std::move(tensor);
  }

  void add_ternary(const std::string& module, int64_t rows, int64_t cols) {
    std::vector<int8_t>& values = ternary[module];
    for (int64_t i = 0; i < rows * cols; ++i) {
      values.push_back(static_cast<int8_t>(static_cast<int>(random_() % 3) - 1));
    }
    const int64_t quarter = (rows + 3) / 4;
    TinyTensor packed = {"U8", {quarter, cols}, std::string(quarter * cols, '\0')};
    for (int64_t r = 0; r < rows; ++r) {
      for (int64_t c = 0; c < cols; ++c) {
        const int code = values[static_cast<size_t>(r * cols + c)] + 1;
        char& byte = packed.bytes[static_cast<size_t>(r % quarter * cols + c)];
        byte = static_cast<char>(byte | code << 2 * (r / quarter));
      }
    }
    tensors[module + ".weight"] = std::move(packed);
    add_floats(module + ".weight_scale", {1}, sizes.divide ? 8.0f : 0.125f, 0.05f);
    const float stored = floats[module + ".weight_scale"][0];
    scales[module] = sizes.divide ? 1.0f / stored : stored;
  }

  void add_layer(const std::string& layer) {
    const int64_t q_dim = sizes.heads * sizes.head_dim;
    const int64_t kv_dim = sizes.kv_heads * sizes.head_dim;
    add_floats(layer + "input_layernorm.weight", {sizes.hidden}, 1.0f, 0.3f);
    add_floats(layer + "post_attention_layernorm.weight", {sizes.hidden}, 1.0f, 0.3f);
    add_floats(layer + "self_attn.attn_sub_norm.weight", {q_dim}, 1.0f, 0.3f);
    add_floats(layer + "mlp.ffn_sub_norm.weight", {sizes.intermediate}, 1.0f, 0.3f);
    add_ternary(layer + "self_attn.q_proj", q_dim, sizes.hidden);
    add_ternary(layer + "self_attn.k_proj", kv_dim, sizes.hidden);
    add_ternary(layer + "self_attn.v_proj", kv_dim, sizes.hidden);
    add_ternary(layer + "self_attn.o_proj", sizes.hidden, q_dim);
    add_ternary(layer + "mlp.gate_proj", sizes.intermediate, sizes.hidden);
    add_ternary(layer + "mlp.up_proj", sizes.intermediate, sizes.hidden);
    add_ternary(layer + "mlp.down_proj", sizes.hidden, sizes.intermediate);
  }

  std::mt19937 random_;
};

}  // namespace rsr::model
