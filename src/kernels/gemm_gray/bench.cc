// Each gemm_gray kernel alone, on one thread and a matrix that stays in the caches, by batch and
// percent of zeros (-1: binary).
#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "kernels/gemm_gray/problem.h"
#include "kernels/peak/share.h"

namespace rsr::kernels {
namespace {

constexpr int64_t kRows = 2560;
constexpr int64_t kCols = 2560;

Problem problem_of(int64_t batch, int zeros) {
  if (zeros < 0) return {{matrix::Format::b1, matrix::Alphabet::binary, kRows, kCols}, batch};
  return {{matrix::Format::t2, matrix::Alphabet::ternary, kRows, kCols, 0, zeros}, batch};
}

/// Measures multiply() and says what it was.
template <class Kernel, class Multiply>
void measure(benchmark::State& state, const Kernel& kernel, bool floats, const Multiply& multiply) {
  const double macs = static_cast<double>(state.range(0) * kRows * kCols);
  for (auto _ : state) {
    multiply();
    benchmark::ClobberMemory();
  }
  state.counters["of_registers"] = share_of_registers(kernel.isa, floats, macs, multiply);
  state.counters["GMAC/s"] =
      benchmark::Counter(1e-9 * macs, benchmark::Counter::kIsIterationInvariantRate);
}

void run_index(benchmark::State& state, const GemmGrayI8Kernel& kernel, Problem& problem,
               const GrayIndexOfProblem& index) {
  problem.make_usual();
  MatvecI8 p = problem.params(kernel.token_tile, false);
  p.gray = &index.groups();
  base::AlignedArray<uint8_t> scratch(static_cast<size_t>(gray_scratch_bytes(index.groups())));
  p.scratch = scratch.data();
  std::vector<int32_t> y(static_cast<size_t>(problem.batch() * kRows));
  p.out.sums = y.data();
  measure(state, kernel, false, [&] { kernel.function(p, 0, problem.packed.tiles()); });
}

void run_index(benchmark::State& state, const GemmGrayF32Kernel& kernel, const Problem& problem,
               const GrayIndexOfProblem& index) {
  base::AlignedArray<uint8_t> scratch(static_cast<size_t>(gray_scratch_bytes(index.groups())));
  std::vector<float> y(static_cast<size_t>(problem.batch() * kRows));
  GemmGrayF32 p;
  p.gray = &index.groups();
  p.x = problem.xf.data();
  p.x_stride = kCols;
  p.batch = problem.batch();
  p.out.rows = p.out.stride = kRows;
  p.out.y = y.data();
  p.scratch = scratch.data();
  measure(state, kernel, true, [&] { kernel.function(p, 0, problem.packed.tiles()); });
}

template <class Kernel>
void run(benchmark::State& state, const Kernel& kernel, segment::Lanes lanes, bool compiled) {
  Problem problem = problem_of(state.range(0), static_cast<int>(state.range(1)));
  const GrayIndexOfProblem index(problem, kernel.stride(), compiled, lanes);
  if (index.compiled() != compiled) return state.SkipWithError("no executable memory here");
  run_index(state, kernel, problem, index);
  state.counters["B/weight"] =
      static_cast<double>(index.nbytes()) / static_cast<double>(kRows * kCols);
}

/// What making an index takes, the places or the code.
void build(benchmark::State& state, bool compiled) {
  const Problem problem = problem_of(1, static_cast<int>(state.range(0)));
  for (auto _ : state) {
    benchmark::DoNotOptimize(GrayIndexOfProblem(problem, 64, compiled).nbytes());
  }
  state.counters["s/weight"] = benchmark::Counter(
      static_cast<double>(kRows * kCols),
      benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}

template <class List>
void add(const List& list, segment::Lanes lanes) {
  for (const auto& kernel : list) {
    if (!base::has_isa(kernel.isa)) continue;
    for (const bool compiled : {false, true}) {
      const std::string name = std::string(kernel.name) + (compiled ? "/compiled" : "/stream");
      auto* added = benchmark::RegisterBenchmark(
          name.c_str(),
          [&kernel, lanes, compiled](benchmark::State& s) { run(s, kernel, lanes, compiled); });
      for (const int zeros : {-1, 33, 50, 70, 90}) added->Args({128, zeros});
      added->Args({32, 70})->Args({512, 70});
    }
  }
}

const int kRegistered = [] {
  add(kGemmGrayI8, segment::Lanes::int16);
  add(kGemmGrayF32, segment::Lanes::float32);
  for (const bool compiled : {false, true}) {
    benchmark::RegisterBenchmark(compiled ? "build/compiled" : "build/stream",
                                 [compiled](benchmark::State& s) { build(s, compiled); })
        ->Arg(-1)
        ->Arg(33)
        ->Arg(70);
  }
  return 0;
}();

}  // namespace
}  // namespace rsr::kernels
