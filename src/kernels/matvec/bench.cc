// Each kernel of the list alone, on one thread and a matrix that stays in the caches: the limit of
// its instructions. What memory makes of it is the business of `rsr bench matvec`.
#include <benchmark/benchmark.h>

#include "kernels/matvec/list.h"
#include "kernels/matvec/problem.h"

namespace rsr::kernels {
namespace {

constexpr int64_t kRows = 1024;
constexpr int64_t kCols = 2560;  // 330 to 650 KB of weights, inside L2

void set_rate(benchmark::State& state, int64_t batch) {
  state.counters["GMAC/s"] = benchmark::Counter(1e-9 * static_cast<double>(batch * kRows * kCols),
                                                benchmark::Counter::kIsIterationInvariantRate);
}

Values values_of(matrix::Format format) {
  const auto alphabet =
      matrix::is_ternary(format) ? matrix::Alphabet::ternary : matrix::Alphabet::binary;
  return {format, alphabet, kRows, kCols};
}

void run_i8(benchmark::State& state, const MatvecI8Kernel& kernel) {
  const int64_t batch = state.range(0);
  Problem problem(values_of(kernel.format), batch);
  MatvecI8 p = problem.params(std::min(kernel.token_tile, static_cast<int>(batch)), false);
  std::vector<int32_t> y(static_cast<size_t>(batch * kRows));
  p.out.sums = y.data();
  for (auto _ : state) {
    kernel.function(p, 0, problem.packed.tiles());
    benchmark::ClobberMemory();
  }
  set_rate(state, batch);
}

void run_f32(benchmark::State& state, const MatvecF32Kernel& kernel) {
  Problem problem(values_of(kernel.format), 1);
  base::AlignedArray<float> x(static_cast<size_t>(kCols / 16 * kT3LineFloats));
  std::vector<float> y(kRows);
  MatvecF32 p;
  p.w = problem.matrix_params(false);
  p.x = x.data();
  p.batch = 1;
  p.out.rows = p.out.stride = kRows;
  p.out.y = y.data();
  for (auto _ : state) {
    kernel.function(p, 0, problem.packed.tiles());
    benchmark::ClobberMemory();
  }
  set_rate(state, 1);
}

const int kRegistered = [] {
  for (const auto& kernel : kMatvecI8) {
    if (!base::has_isa(kernel.isa) || kernel.isa == base::Isa::reference) continue;
    benchmark::RegisterBenchmark(kernel.name, [&](benchmark::State& s) { run_i8(s, kernel); })
        ->Arg(1)
        ->Arg(2)
        ->Arg(4)
        ->Arg(8);
  }
  for (const auto& kernel : kMatvecF32) {
    if (!base::has_isa(kernel.isa) || kernel.isa == base::Isa::reference) continue;
    benchmark::RegisterBenchmark(kernel.name, [&](benchmark::State& s) { run_f32(s, kernel); });
  }
  return 0;
}();

}  // namespace
}  // namespace rsr::kernels
