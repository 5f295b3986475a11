// Each kernel of the list alone, on one thread and an index that stays in L2: the limit of its
// instructions. What memory makes of it is the business of `rsr bench matvec`.
#include <benchmark/benchmark.h>

#include "kernels/lanes/problem.h"

namespace rsr::kernels {
namespace {

template <class X, class Sum>
void run(benchmark::State& state, void (*function)(const Lanes<X, Sum>&, int64_t, int64_t) noexcept,
         segment::Alphabet alphabet) {
  const LanesShape shape{alphabet, segment::max_lane_k(alphabet),
                         960,      2560,
                         0,        alphabet == segment::Alphabet::ternary ? 33 : 50};
  const LanesProblem problem(shape);
  const std::vector<X> x(problem.x.begin(), problem.x.end());
  base::AlignedArray<Sum> sums(problem.sum_count());
  auto p = problem.params<X, Sum>(x.data());
  p.sums = sums.data();
  for (auto _ : state) {
    function(p, 0, problem.groups.block_count());
    benchmark::ClobberMemory();
  }
  state.counters["GMAC/s"] = benchmark::Counter(1e-9 * static_cast<double>(shape.rows * shape.cols),
                                                benchmark::Counter::kIsIterationInvariantRate);
}

template <class List>
void register_list(const List& list) {
  for (const auto& kernel : list) {
    if (!base::has_isa(kernel.isa)) continue;
    for (const auto alphabet : {segment::Alphabet::binary, segment::Alphabet::ternary}) {
      const char* name = alphabet == segment::Alphabet::binary ? "/binary" : "/ternary";
      benchmark::RegisterBenchmark(
          (std::string(kernel.name) + name).c_str(),
          [&kernel, alphabet](benchmark::State& state) { run(state, kernel.function, alphabet); });
    }
  }
}

const int kRegistered = [] {
  register_list(kLanesI8);
  register_list(kLanesF32);
  return 0;
}();

}  // namespace
}  // namespace rsr::kernels
