// Each kernel of the list on one token of a model's width.
#include <benchmark/benchmark.h>

#include <vector>

#include "kernels/quantize/list.h"

namespace rsr::kernels {
namespace {

void run(benchmark::State& state, QuantizeI8Function* function) {
  const int64_t cols = state.range(0);
  std::vector<float> x(cols);
  for (int64_t c = 0; c < cols; ++c) x[c] = static_cast<float>(c * 7919 % 1000) * 0.01f - 5.0f;
  std::vector<int8_t> q((cols + 63) / 64 * 64);
  int32_t sum = 0;
  float inverse = 0;
  const QuantizeI8 p{x.data(), cols, q.data(), static_cast<int64_t>(q.size()), &sum, &inverse};
  for (auto _ : state) {
    function(p, 0, 1);
    benchmark::ClobberMemory();
  }
  state.counters["elements/s"] =
      benchmark::Counter(static_cast<double>(cols), benchmark::Counter::kIsIterationInvariantRate);
}

const int kRegistered = [] {
  for (const auto& kernel : kQuantizeI8) {
    if (!base::has_isa(kernel.isa)) continue;
    benchmark::RegisterBenchmark(
        kernel.name,
        [function = kernel.function](benchmark::State& state) { run(state, function); })
        ->Arg(2560)
        ->Arg(6912);
  }
  return 0;
}();

}  // namespace
}  // namespace rsr::kernels
