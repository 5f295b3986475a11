// OpenBLAS, fp32: sgemv for one vector, sgemm for more.
#include <cblas.h>

#include <algorithm>

#include "base/aligned.h"
#include "base/cpu.h"
#include "rivals/rival.h"

namespace rsr::rivals {
namespace {

class OpenBlas : public Rival {
 public:
  OpenBlas(const Options& o, const std::vector<int8_t>& w) : o_(o), copies_(1) {
    openblas_set_num_threads(o.threads);
    copies_.front() = base::AlignedArray<float>(w.size());
    std::copy(w.begin(), w.end(), copies_.front().data());
  }

  Description description() const override {
    return {.name = "openblas-fp32",
            .kernel = o_.batch == 1 ? "sgemv" : "sgemm",
            .isa = openblas_get_corename(),
            .format = "fp32",
            .activation = "fp32",
            .tolerance = 1e-5};
  }
  int64_t nbytes() const override {
    return static_cast<int64_t>(copies_.front().size() * sizeof(float));
  }
  void add_copy() override { copies_.push_back(copies_.front()); }

  void multiply(size_t copy, const float* x, float* y) override {
    const auto rows = static_cast<blasint>(o_.rows);
    const auto cols = static_cast<blasint>(o_.cols);
    const float* w = copies_[copy].data();
    if (o_.batch == 1) {
      cblas_sgemv(CblasRowMajor, CblasNoTrans, rows, cols, 1, w, cols, x, 1, 0, y, 1);
    } else {
      cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, static_cast<blasint>(o_.batch), rows,
                  cols, 1, x, cols, w, cols, 0, y, rows);
    }
  }

 private:
  Options o_;
  std::vector<base::AlignedArray<float>> copies_;
};

}  // namespace
}  // namespace rsr::rivals

int main(int argc, char** argv) {
  using namespace rsr;
  // Its own detection takes virtual machines for the oldest processor that it knows.
  const bool avx512 = __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  std::vector<std::pair<std::string, std::string>> variables = {
      {"OPENBLAS_NUM_THREADS", rivals::threads_flag(argc, argv)}};
  if (avx2) variables.push_back({"OPENBLAS_CORETYPE", avx512 ? "SkylakeX" : "Haswell"});
  rivals::restart_with(argv, variables);
  return rivals::run_rival(argc, argv, {"fp32"}, [](const auto& o, const auto& w) {
    return std::make_unique<rivals::OpenBlas>(o, w);
  });
}
