// Each kernel of the list on one thread and a matrix that stays in L2.
#include <benchmark/benchmark.h>

#include <vector>

#include "kernels/dense/list.h"

namespace rsr::kernels {
namespace {

void run(benchmark::State& state, Dense16F32Function* function) {
  constexpr int64_t kRows = 256;
  constexpr int64_t kCols = 2560;
  const int64_t batch = state.range(0);
  const std::vector<uint16_t> w(kRows * kCols, 0x3F80);
  const std::vector<float> x(batch * kCols, 0.5f);
  std::vector<float> y(batch * kRows);
  const Dense16F32 p{w.data(), kCols, x.data(), batch, y.data(), kRows};
  for (auto _ : state) {
    function(p, 0, kRows);
    benchmark::ClobberMemory();
  }
  const double bytes = static_cast<double>(w.size() * sizeof(uint16_t));
  state.counters["GB/s"] =
      benchmark::Counter(bytes * 1e-9, benchmark::Counter::kIsIterationInvariantRate);
}

template <int size>
void register_list(const Kernel<Dense16F32Function> (&list)[size]) {
  for (const auto& kernel : list) {
    if (!base::has_isa(kernel.isa)) continue;
    benchmark::RegisterBenchmark(
        kernel.name,
        [function = kernel.function](benchmark::State& state) { run(state, function); })
        ->Arg(1)
        ->Arg(4);
  }
}

const int kRegistered = [] {
  register_list(kDenseBf16F32);
  register_list(kDenseF16F32);
  return 0;
}();

}  // namespace
}  // namespace rsr::kernels
