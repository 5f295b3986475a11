// oneDNN: its inner product with weights in the layout that it likes best, fp32 or bf16. With bf16
// the inputs are rounded in each call, and the results are fp32.
#include <dnnl.hpp>
#include <unordered_map>

#include "rivals/rival.h"

namespace rsr::rivals {
namespace {

using dnnl::memory;

const char* isa_text() {
  switch (dnnl::get_effective_cpu_isa()) {
    case dnnl::cpu_isa::avx512_core:
      return "avx512_core";
    case dnnl::cpu_isa::avx512_core_vnni:
      return "avx512_core_vnni";
    case dnnl::cpu_isa::avx512_core_bf16:
      return "avx512_core_bf16";
    case dnnl::cpu_isa::avx512_core_amx:
      return "avx512_core_amx";
    case dnnl::cpu_isa::avx2:
      return "avx2";
    default:
      return "other";
  }
}

dnnl::inner_product_forward::primitive_desc inner_product(const dnnl::engine& engine,
                                                          const memory::desc& x,
                                                          const memory::desc& w,
                                                          const memory::desc& y) {
  constexpr auto kind = dnnl::prop_kind::forward_inference;
#if DNNL_VERSION_MAJOR >= 3
  return {engine, kind, x, w, y};
#else
  return {{kind, x, w, y}, engine};
#endif
}

class OneDnn : public Rival {
 public:
  OneDnn(const Options& o, const std::vector<int8_t>& w)
      : o_(o),
        engine_(dnnl::engine::kind::cpu, 0),
        stream_(engine_),
        type_(o.variant == "bf16" ? memory::data_type::bf16 : memory::data_type::f32),
        about_(inner_product(engine_, {{o.batch, o.cols}, type_, memory::format_tag::nc},
                             {{o.rows, o.cols}, type_, memory::format_tag::any},
                             {{o.batch, o.rows}, memory::data_type::f32, memory::format_tag::nc})),
        product_(about_),
        x_(about_.src_desc(), engine_) {
    std::vector<float> floats(w.begin(), w.end());
    memory plain({{o.rows, o.cols}, memory::data_type::f32, memory::format_tag::oi}, engine_,
                 floats.data());
    copies_.emplace_back(about_.weights_desc(), engine_);
    dnnl::reorder(plain, copies_.front()).execute(stream_, plain, copies_.front());
    stream_.wait();
  }

  Description description() const override {
    return {.name = "onednn-" + o_.variant,
            .kernel = about_.impl_info_str(),
            .isa = isa_text(),
            .format = o_.variant,
            .activation = o_.variant,
            .tolerance = o_.variant == "bf16" ? 1e-2 : 1e-5};
  }
  int64_t nbytes() const override { return static_cast<int64_t>(about_.weights_desc().get_size()); }
  void add_copy() override {
    memory copy(about_.weights_desc(), engine_);
    std::copy_n(static_cast<const char*>(copies_.front().get_data_handle()),
                about_.weights_desc().get_size(), static_cast<char*>(copy.get_data_handle()));
    copies_.push_back(std::move(copy));
  }

  void multiply(size_t copy, const float* x, float* y) override {
    // The library's interface takes no constant pointers; it writes to y only.
    memory given({{o_.batch, o_.cols}, memory::data_type::f32, memory::format_tag::nc}, engine_,
                 const_cast<float*>(x));
    memory out(about_.dst_desc(), engine_, y);
    const bool rounds = type_ != memory::data_type::f32;
    if (rounds) {
      if (!round_) round_ = dnnl::reorder(given, x_);
      round_.execute(stream_, given, x_);
    }
    product_.execute(stream_, {{DNNL_ARG_SRC, rounds ? x_ : given},
                               {DNNL_ARG_WEIGHTS, copies_[copy]},
                               {DNNL_ARG_DST, out}});
    stream_.wait();
  }

 private:
  Options o_;
  dnnl::engine engine_;
  dnnl::stream stream_;
  memory::data_type type_;
  dnnl::inner_product_forward::primitive_desc about_;
  dnnl::inner_product_forward product_;
  dnnl::reorder round_;
  memory x_;  // rounded inputs
  std::vector<memory> copies_;
};

}  // namespace
}  // namespace rsr::rivals

int main(int argc, char** argv) {
  using namespace rsr;
  rivals::restart_with(argv, {{"OMP_NUM_THREADS", rivals::threads_flag(argc, argv)}});
  return rivals::run_rival(argc, argv, {"fp32", "bf16"}, [](const auto& o, const auto& w) {
    return std::make_unique<rivals::OneDnn>(o, w);
  });
}
