// Each gemm_gray kernel alone, on one thread and a matrix that stays in the caches, by batch and
// percent of zeros (-1: binary).
#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <vector>

#include "kernels/gemm_gray/problem.h"
#include "kernels/peak/list.h"

namespace rsr::kernels {
namespace {

constexpr int64_t kRows = 2560;
constexpr int64_t kCols = 2560;

Problem problem_of(int64_t batch, int zeros) {
  if (zeros < 0) return {{matrix::Format::b1, matrix::Alphabet::binary, kRows, kCols}, batch};
  return {{matrix::Format::t2, matrix::Alphabet::ternary, kRows, kCols, 0, zeros}, batch};
}

double now_seconds() {
  using Clock = std::chrono::steady_clock;
  return std::chrono::duration<double>(Clock::now().time_since_epoch()).count();
}

/// Multiply-adds per second from registers: of the dot product for 64-byte vectors, if there is
/// one.
double register_rate(const GemmGrayI8Kernel& kernel) {
  const bool dot = kernel.isa == base::Isa::avx512bw && base::has_isa(base::Isa::avx512vnni);
  PeakI8 p{.rounds = 20000};
  const double begin = now_seconds();
  best_kernel(kPeakI8, dot ? base::Isa::avx512vnni : kernel.isa).function(p);
  return static_cast<double>(p.multiply_adds) / (now_seconds() - begin);
}

/// Median share of the rate from registers, which is measured right before and after each call:
/// a processor that is not ours alone changes its clock within milliseconds.
template <class Multiply>
double share_of_registers(const GemmGrayI8Kernel& kernel, double macs, const Multiply& multiply) {
  std::vector<double> shares;
  double before = register_rate(kernel);
  for (int i = 0; i < 40; ++i) {
    const double begin = now_seconds();
    multiply();
    const double rate = macs / (now_seconds() - begin);
    const double after = register_rate(kernel);
    shares.push_back(2 * rate / (before + after));
    before = after;
  }
  std::nth_element(shares.begin(), shares.begin() + 20, shares.end());
  return shares[20];
}

void run(benchmark::State& state, const GemmGrayI8Kernel& kernel, bool compiled) {
  const int64_t batch = state.range(0);
  Problem problem = problem_of(batch, static_cast<int>(state.range(1)));
  problem.make_usual();
  const GrayIndexOfProblem index(problem, kernel.stride(), compiled);
  if (index.compiled() != compiled) return state.SkipWithError("no executable memory here");
  MatvecI8 p = problem.params(kernel.token_tile, false);
  p.gray = &index.groups();
  base::AlignedArray<uint8_t> scratch(static_cast<size_t>(gray_scratch_bytes(index.groups())));
  p.scratch = scratch.data();
  std::vector<int32_t> y(static_cast<size_t>(batch * kRows));
  p.out.sums = y.data();
  const auto multiply = [&] { kernel.function(p, 0, problem.packed.tiles()); };
  for (auto _ : state) {
    multiply();
    benchmark::ClobberMemory();
  }
  state.counters["of_registers"] =
      share_of_registers(kernel, static_cast<double>(batch * kRows * kCols), multiply);
  state.counters["GMAC/s"] = benchmark::Counter(1e-9 * static_cast<double>(batch * kRows * kCols),
                                                benchmark::Counter::kIsIterationInvariantRate);
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

const int kRegistered = [] {
  for (const auto& kernel : kGemmGrayI8) {
    if (!base::has_isa(kernel.isa)) continue;
    for (const bool compiled : {false, true}) {
      const std::string name = std::string(kernel.name) + (compiled ? "/compiled" : "/stream");
      auto* added = benchmark::RegisterBenchmark(
          name.c_str(), [&, compiled](benchmark::State& s) { run(s, kernel, compiled); });
      for (const int zeros : {-1, 33, 50, 70, 90}) added->Args({128, zeros});
      added->Args({32, 70})->Args({512, 70});
    }
  }
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
