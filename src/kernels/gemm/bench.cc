// Each gemm kernel alone, on one thread and a matrix that stays in the caches.
#include <benchmark/benchmark.h>

#include "kernels/gemm/list.h"
#include "kernels/matvec/problem.h"

namespace rsr::kernels {
namespace {

constexpr int64_t kRows = 1024;
constexpr int64_t kCols = 2560;

void run(benchmark::State& state, const MatvecI8Kernel& kernel) {
  const int64_t batch = state.range(0);
  const bool ternary = matrix::is_ternary(kernel.format);
  Problem problem(
      {kernel.format, ternary ? matrix::Alphabet::ternary : matrix::Alphabet::binary, kRows, kCols},
      batch);
  MatvecI8 p = problem.params(kernel.token_tile, false);
  std::vector<int32_t> y(static_cast<size_t>(batch * kRows));
  p.out.sums = y.data();
  for (auto _ : state) {
    kernel.function(p, 0, problem.packed.tiles());
    benchmark::ClobberMemory();
  }
  state.counters["GMAC/s"] = benchmark::Counter(1e-9 * static_cast<double>(batch * kRows * kCols),
                                                benchmark::Counter::kIsIterationInvariantRate);
}

const int kRegistered = [] {
  for (const auto& kernel : kGemmI8) {
    if (!base::has_isa(kernel.isa)) continue;
    benchmark::RegisterBenchmark(kernel.name, [&](benchmark::State& s) { run(s, kernel); })
        ->Arg(2)
        ->Arg(4)
        ->Arg(8)
        ->Arg(16)
        ->Arg(32)
        ->Arg(64)
        ->Arg(128)
        ->Arg(512);
  }
  return 0;
}();

}  // namespace
}  // namespace rsr::kernels
