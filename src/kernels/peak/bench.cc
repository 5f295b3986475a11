// Multiply-adds per second of one core, for each kernel of the list.
#include <benchmark/benchmark.h>

#include "kernels/peak/list.h"

namespace rsr::kernels {
namespace {

template <class Peak, class Function>
void run(benchmark::State& state, Function* function) {
  Peak p{.rounds = 10000};
  for (auto _ : state) {
    function(p);
    benchmark::ClobberMemory();
  }
  state.counters["MAC/s"] = benchmark::Counter(static_cast<double>(p.multiply_adds),
                                               benchmark::Counter::kIsIterationInvariantRate);
}

template <class Peak, class List>
void add(const List& list) {
  for (const auto& kernel : list) {
    if (!base::has_isa(kernel.isa)) continue;
    benchmark::RegisterBenchmark(
        kernel.name,
        [function = kernel.function](benchmark::State& state) { run<Peak>(state, function); });
  }
}

const int kRegistered = [] {
  add<PeakI8>(kPeakI8);
  add<PeakI8>(kPeakPairsI8);
  add<PeakI8>(kPeakTilesI8);
  add<PeakF32>(kPeakF32);
  return 0;
}();

}  // namespace
}  // namespace rsr::kernels
