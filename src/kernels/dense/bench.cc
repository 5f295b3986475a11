// Each kernel of the list on one thread and a matrix that stays in L2.
#include <benchmark/benchmark.h>

#include <vector>

#include "kernels/dense/list.h"

namespace rsr::kernels {
namespace {

void run(benchmark::State& state, DenseBf16F32Function* function) {
  constexpr int64_t kRows = 256;
  constexpr int64_t kCols = 2560;
  const int64_t batch = state.range(0);
  const std::vector<uint16_t> w(kRows * kCols, 0x3F80);
  const std::vector<float> x(batch * kCols, 0.5f);
  std::vector<float> y(batch * kRows);
  const DenseBf16F32 p{w.data(), kCols, x.data(), batch, y.data(), kRows};
  for (auto _ : state) {
    function(p, 0, kRows);
    benchmark::ClobberMemory();
  }
  const double bytes = static_cast<double>(w.size() * sizeof(uint16_t));
  state.counters["GB/s"] =
      benchmark::Counter(bytes * 1e-9, benchmark::Counter::kIsIterationInvariantRate);
}

const int kRegistered = [] {
  for (const auto& kernel : kDenseBf16F32) {
    if (kernel.isa > base::detect_isa()) continue;
    benchmark::RegisterBenchmark(
        kernel.name,
        [function = kernel.function](benchmark::State& state) { run(state, function); })
        ->Arg(1)
        ->Arg(4);
  }
  return 0;
}();

}  // namespace
}  // namespace rsr::kernels
