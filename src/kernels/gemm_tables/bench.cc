// Each gemm_tables kernel alone, on one thread and a matrix that stays in the caches, beside the
// gemm of the same format and instruction set.
#include <benchmark/benchmark.h>

#include "base/aligned.h"
#include "kernels/gemm/list.h"
#include "kernels/gemm_tables/list.h"
#include "kernels/matvec/problem.h"
#include "kernels/peak/share.h"

namespace rsr::kernels {
namespace {

constexpr int64_t kRows = 2560;
constexpr int64_t kCols = 2560;

/// Measures multiply() and says what it was.
template <class Multiply>
void measure(benchmark::State& state, base::Isa isa, bool floats, const Multiply& multiply) {
  const double macs = static_cast<double>(state.range(0) * kRows * kCols);
  for (auto _ : state) {
    multiply();
    benchmark::ClobberMemory();
  }
  state.counters["of_registers"] = share_of_registers(isa, floats, macs, multiply);
  state.counters["GMAC/s"] =
      benchmark::Counter(1e-9 * macs, benchmark::Counter::kIsIterationInvariantRate);
}

void run(benchmark::State& state, const MatvecI8Kernel& kernel) {
  const int64_t batch = state.range(0);
  const bool ternary = matrix::is_ternary(kernel.format);
  Problem problem(
      {kernel.format, ternary ? matrix::Alphabet::ternary : matrix::Alphabet::binary, kRows, kCols},
      batch);
  problem.make_usual();
  MatvecI8 p = problem.params(kernel.token_tile, false);
  base::AlignedArray<uint8_t> scratch(static_cast<size_t>(kernel.scratch_bytes));
  p.scratch = scratch.data();
  std::vector<int32_t> y(static_cast<size_t>(batch * kRows));
  p.out.sums = y.data();
  measure(state, kernel.isa, false, [&] { kernel.function(p, 0, problem.packed.tiles()); });
}

void run_floats(benchmark::State& state, const GemmTablesF32Kernel& kernel) {
  const int64_t batch = state.range(0);
  const bool ternary = matrix::is_ternary(kernel.format);
  const Problem problem(
      {kernel.format, ternary ? matrix::Alphabet::ternary : matrix::Alphabet::binary, kRows, kCols},
      batch);
  base::AlignedArray<uint8_t> scratch(kGemmTablesScratch);
  std::vector<float> y(static_cast<size_t>(batch * kRows));
  GemmTablesF32 p;
  p.w = problem.matrix_params(false);
  p.x = problem.xf.data();
  p.x_stride = p.cols = kCols;
  p.batch = batch;
  p.scratch = scratch.data();
  p.out.rows = p.out.stride = kRows;
  p.out.y = y.data();
  measure(state, kernel.isa, true, [&] { kernel.function(p, 0, problem.packed.tiles()); });
}

template <class List>
void add(const List& list) {
  for (const auto& kernel : list) {
    if (!base::has_isa(kernel.isa) || kernel.format == matrix::Format::t5) continue;
    benchmark::RegisterBenchmark(kernel.name, [&](benchmark::State& s) { run(s, kernel); })
        ->Arg(16)
        ->Arg(32)
        ->Arg(64)
        ->Arg(128)
        ->Arg(512);
  }
}

const int kRegistered = [] {
  add(kGemmTablesI8);
  add(kGemmI8);
  for (const auto& kernel : kGemmTablesF32) {
    if (!base::has_isa(kernel.isa)) continue;
    benchmark::RegisterBenchmark(kernel.name, [&](benchmark::State& s) { run_floats(s, kernel); })
        ->Arg(16)
        ->Arg(128);
  }
  return 0;
}();

}  // namespace
}  // namespace rsr::kernels
