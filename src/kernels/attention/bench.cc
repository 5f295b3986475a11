// Each kernel of the list on one thread: a chunk in L2, four queries that share a head (decoding)
// and 64 (a prompt).
#include <benchmark/benchmark.h>

#include "kernels/attention/problem.h"

namespace rsr::kernels {
namespace {

void run(benchmark::State& state, KvType type, AttendFunction* function) {
  const AttentionProblem problem(type, 128, kChunk, state.range(0));
  base::AlignedArray<float> states(static_cast<size_t>(problem.state_floats()));
  problem.clear(states.data());
  for (auto _ : state) {
    function(problem.params(0, kChunk, states.data()));
    benchmark::ClobberMemory();
  }
  const double products = 2.0 * 128 * kChunk * static_cast<double>(state.range(0));
  state.counters["GMAC/s"] =
      benchmark::Counter(products * 1e-9, benchmark::Counter::kIsIterationInvariantRate);
}

const int kRegistered = [] {
  for (const auto& kernel : kAttend) {
    if (!base::has_isa(kernel.isa)) continue;
    benchmark::RegisterBenchmark(
        kernel.name, [=](benchmark::State& state) { run(state, kernel.type, kernel.function); })
        ->Arg(1)
        ->Arg(4)
        ->Arg(64);
  }
  return 0;
}();

}  // namespace
}  // namespace rsr::kernels
