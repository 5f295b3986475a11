// ggml, the engine of llama.cpp, built for this machine: its ternary formats TQ1_0 and TQ2_0, its
// plain 4-bit format Q4_0, repacked as llama.cpp does it while loading (and, as another rival, for
// AMX), and its 1-bit format Q1_0 (-1 and 1). All of them quantise the inputs in each call.
#include <ggml-backend.h>
#include <ggml-cpu.h>
#include <ggml.h>

#include <cstring>
#include <stdexcept>

#include "rivals/rival.h"

namespace rsr::rivals {
namespace {

struct Free {
  void operator()(ggml_context* p) const { ggml_free(p); }
  void operator()(ggml_backend_buffer* p) const { ggml_backend_buffer_free(p); }
  void operator()(ggml_backend* p) const { ggml_backend_free(p); }
  void operator()(ggml_threadpool* p) const { ggml_threadpool_free(p); }
};
template <class T>
using Owned = std::unique_ptr<T, Free>;

/// A matrix, the buffer that it lies in, and the graph of its product.
struct Copy {
  Owned<ggml_context> context;
  Owned<ggml_backend_buffer> weights;
  Owned<ggml_context> product_context;
  Owned<ggml_backend_buffer> results;
  ggml_tensor* w = nullptr;
  ggml_tensor* y = nullptr;
  ggml_cgraph* graph = nullptr;
};

Owned<ggml_context> new_context() {
  const size_t room = 8 * ggml_tensor_overhead() + ggml_graph_overhead_custom(8, false);
  Owned<ggml_context> context(ggml_init({room, nullptr, true}));
  if (!context) throw std::runtime_error("ggml_init failed");
  return context;
}

ggml_type type_of(const std::string& variant) {
  if (variant == "tq1_0") return GGML_TYPE_TQ1_0;
  if (variant == "tq2_0") return GGML_TYPE_TQ2_0;
  if (variant == "q1_0") return GGML_TYPE_Q1_0;
  return GGML_TYPE_Q4_0;
}

constexpr uint16_t kHalfOne = 0x3C00;  // 1.0 as f16

/// Q4_0 with scale 1: blocks of 32, code w + 8, element j low and j + 16 high in byte j. (ggml's
/// own quantiser scales by the largest value, which makes -1 out of 7/8.)
void pack_q4_0(const int8_t* w, int64_t cols, uint8_t* out) {
  for (int64_t c = 0; c < cols; c += 32, out += 18) {
    std::memcpy(out, &kHalfOne, 2);
    for (int64_t j = 0; j < 16; ++j) {
      out[2 + j] = static_cast<uint8_t>((w[c + j] + 8) | (w[c + j + 16] + 8) << 4);
    }
  }
}

/// Q1_0 with scale 1: blocks of 128, one bit for each element, set for 1 and clear for -1.
void pack_q1_0(const int8_t* w, int64_t cols, uint8_t* out) {
  for (int64_t c = 0; c < cols; c += 128, out += 18) {
    std::memcpy(out, &kHalfOne, 2);
    std::memset(out + 2, 0, 16);
    for (int64_t j = 0; j < 128; ++j) {
      out[2 + j / 8] = static_cast<uint8_t>(out[2 + j / 8] | (w[c + j] > 0 ? 1 : 0) << (j % 8));
    }
  }
}

std::vector<uint8_t> pack(const Options& o, ggml_type type, const std::vector<int8_t>& w) {
  if (o.cols % ggml_blck_size(type) != 0) {
    throw std::runtime_error("columns are no multiple of " + std::to_string(ggml_blck_size(type)));
  }
  const size_t row_bytes = ggml_row_size(type, o.cols);
  std::vector<uint8_t> packed(row_bytes * o.rows);
  std::vector<float> row(o.cols);
  for (int64_t r = 0; r < o.rows; ++r) {
    const int8_t* values = w.data() + r * o.cols;
    uint8_t* out = packed.data() + r * row_bytes;
    if (type == GGML_TYPE_Q4_0) {
      pack_q4_0(values, o.cols, out);
    } else if (type == GGML_TYPE_Q1_0) {
      pack_q1_0(values, o.cols, out);
    } else {
      std::copy_n(values, o.cols, row.data());
      ggml_quantize_chunk(type, row.data(), out, 0, 1, o.cols, nullptr);
    }
  }
  return packed;
}

class Ggml : public Rival {
 public:
  Ggml(const Options& o, const std::vector<int8_t>& w)
      : o_(o), type_(type_of(o.variant)), backend_(ggml_backend_cpu_init()) {
    ggml_threadpool_params params = ggml_threadpool_params_default(o.threads);
    params.poll = 100;
    threads_.reset(ggml_threadpool_new(&params));
    ggml_backend_cpu_set_n_threads(backend_.get(), o.threads);
    ggml_backend_cpu_set_threadpool(backend_.get(), threads_.get());
    x_context_ = new_context();
    x_ = ggml_new_tensor_2d(x_context_.get(), GGML_TYPE_F32, o.cols, o.batch);
    x_buffer_.reset(ggml_backend_alloc_ctx_tensors(x_context_.get(), backend_.get()));
    packed_ = pack(o, type_, w);
    choose_buffer();
    add_packed();
  }

  Description description() const override {
    return {.name = "ggml-" + o_.variant,
            .kernel = std::string("mul_mat ") + ggml_backend_buft_name(buffer_type_),
            .isa = "native",
            .format = ggml_type_name(type_),
            .activation = "quantised",
            .tolerance = 2e-2,
            .signs = type_ == GGML_TYPE_Q1_0};
  }
  int64_t nbytes() const override { return static_cast<int64_t>(packed_.size()); }

  void add_copy() override { add_packed(); }

  void multiply(size_t copy, const float* x, float* y) override {
    std::memcpy(x_->data, x, ggml_nbytes(x_));
    if (ggml_backend_graph_compute(backend_.get(), copies_[copy].graph) != GGML_STATUS_SUCCESS) {
      throw std::runtime_error("ggml_backend_graph_compute failed");
    }
    std::memcpy(y, copies_[copy].y->data, ggml_nbytes(copies_[copy].y));
  }

 private:
  void add_packed() {
    copies_.push_back(new_copy(buffer_type_));
    ggml_backend_tensor_set(copies_.back().w, packed_.data(), 0, packed_.size());
  }

  Copy new_copy(ggml_backend_buffer_type_t type) {
    Copy c;
    c.context = new_context();
    c.w = ggml_new_tensor_2d(c.context.get(), type_, o_.cols, o_.rows);
    c.weights.reset(ggml_backend_alloc_ctx_tensors_from_buft(c.context.get(), type));
    c.product_context = new_context();
    c.y = ggml_mul_mat(c.product_context.get(), c.w, x_);
    c.graph = ggml_new_graph_custom(c.product_context.get(), 8, false);
    ggml_build_forward_expand(c.graph, c.y);
    c.results.reset(ggml_backend_alloc_ctx_tensors(c.product_context.get(), backend_.get()));
    if (!c.weights || !c.results) throw std::runtime_error("ggml allocated no memory");
    return c;
  }

  /// Memory of the kind that repacks this format, when the library has it for this machine.
  void choose_buffer() {
    buffer_type_ = ggml_backend_get_default_buffer_type(backend_.get());
    const bool amx = o_.variant == "q4_0-amx";
    ggml_backend_dev_t device = ggml_backend_get_device(backend_.get());
    auto* list =
        reinterpret_cast<ggml_backend_dev_get_extra_bufts_t>(ggml_backend_reg_get_proc_address(
            ggml_backend_dev_backend_reg(device), "ggml_backend_dev_get_extra_bufts"));
    for (auto* type = list == nullptr ? nullptr : list(device); type != nullptr && *type != nullptr;
         ++type) {
      const bool is_amx =
          std::string(ggml_backend_buft_name(*type)).find("AMX") != std::string::npos;
      if (is_amx != amx) continue;
      if (ggml_backend_dev_supports_op(device, new_copy(*type).y)) buffer_type_ = *type;
    }
    if (amx && buffer_type_ == ggml_backend_get_default_buffer_type(backend_.get())) {
      throw std::runtime_error("ggml has no AMX for this machine and matrix");
    }
  }

  Options o_;
  ggml_type type_;
  Owned<ggml_threadpool> threads_;
  Owned<ggml_backend> backend_;  // uses the threads: is freed before them
  Owned<ggml_context> x_context_;
  Owned<ggml_backend_buffer> x_buffer_;
  ggml_tensor* x_ = nullptr;
  ggml_backend_buffer_type_t buffer_type_ = nullptr;
  std::vector<uint8_t> packed_;
  std::vector<Copy> copies_;
};

}  // namespace
}  // namespace rsr::rivals

int main(int argc, char** argv) {
  using namespace rsr;
  ggml_log_set([](ggml_log_level, const char*, void*) {}, nullptr);  // it tells of each copy
  return rivals::run_rival(
      argc, argv, {"tq2_0", "tq1_0", "q4_0", "q4_0-amx", "q1_0"},
      [](const auto& o, const auto& w) { return std::make_unique<rivals::Ggml>(o, w); });
}
