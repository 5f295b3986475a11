// Each kernel of the list alone, on one thread and an index that stays in L2: the limit of its
// instructions.
#include <benchmark/benchmark.h>

#include "kernels/slices/problem.h"

namespace rsr::kernels {
namespace {

template <class X, class Sum>
void run(benchmark::State& state,
         void (*function)(const Slices<X, Sum>&, int64_t, int64_t) noexcept) {
  const SlicesProblem problem(std::vector<int64_t>(256, 60), 4096);
  const std::vector<X> x(problem.x.begin(), problem.x.end());
  base::AlignedArray<Sum> sums(static_cast<size_t>(problem.slices() * kSliceLanes));
  const auto p = problem.params<X, Sum>(x.data(), sums.data());
  for (auto _ : state) {
    function(p, 0, problem.slices());
    benchmark::ClobberMemory();
  }
  state.counters["Gcolumns/s"] =
      benchmark::Counter(1e-9 * static_cast<double>(problem.columns.size()),
                         benchmark::Counter::kIsIterationInvariantRate);
}

template <class List>
void register_list(const List& list) {
  for (const auto& kernel : list) {
    if (!base::has_isa(kernel.isa)) continue;
    benchmark::RegisterBenchmark(
        kernel.name, [&kernel](benchmark::State& state) { run(state, kernel.function); });
  }
}

const int kRegistered = [] {
  register_list(kSlicesI32);
  register_list(kSlicesF32);
  return 0;
}();

}  // namespace
}  // namespace rsr::kernels
