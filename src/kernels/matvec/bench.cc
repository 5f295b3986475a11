// Each kernel of the list alone, on one thread and a matrix that stays in the caches: the limit of
// its instructions. What memory makes of it is the business of `rsr bench matvec`.
#include <benchmark/benchmark.h>

#include <type_traits>
#include <vector>

#include "base/aligned.h"
#include "kernels/matvec/list.h"

namespace rsr::kernels {
namespace {

/// Times one t2 kernel on `tiles` x `steps` lines (16 rows x 16 columns each) and a batch.
template <class Params, class X, class Y, class Function>
void run(benchmark::State& state, Function* function) {
  constexpr int64_t kTiles = 64;
  constexpr int64_t kSteps = 160;  // 1,024 x 2,560: 640 KiB of codes, inside L2
  const int64_t batch = state.range(0);
  base::AlignedArray<uint8_t> codes(kTiles * kSteps * kT2LineBytes);
  for (size_t i = 0; i < codes.size(); ++i) codes[i] = static_cast<uint8_t>(i * 37 % 3 * 0x55);
  base::AlignedArray<X> x(batch * kSteps * kT2Cols);
  base::AlignedArray<int32_t> sums(batch);
  base::AlignedArray<Y> y(batch * kTiles * kT2Rows);
  Params p;
  p.codes = codes.data();
  p.tile_stride = kSteps * kT2LineBytes;
  p.steps = kSteps;
  p.x = x.data();
  p.x_stride = kSteps * kT2Cols;
  if constexpr (std::is_same_v<Params, MatvecT2I8>) p.x_sums = sums.data();
  p.batch = batch;
  p.y = y.data();
  p.y_stride = kTiles * kT2Rows;
  for (auto _ : state) {
    function(p, 0, kTiles);
    benchmark::ClobberMemory();
  }
  const double macs = static_cast<double>(batch * kTiles * kT2Rows * kSteps * kT2Cols);
  state.counters["GMAC/s"] =
      benchmark::Counter(macs * 1e-9, benchmark::Counter::kIsIterationInvariantRate);
}

const int kRegistered = [] {
  for (const auto& kernel : kMatvecT2I8) {
    if (kernel.isa > base::detect_isa()) continue;
    benchmark::RegisterBenchmark(kernel.name,
                                 [function = kernel.function](benchmark::State& state) {
                                   run<MatvecT2I8, int8_t, int32_t>(state, function);
                                 })
        ->Arg(1)
        ->Arg(4)
        ->Arg(32);
  }
  for (const auto& kernel : kMatvecT2F32) {
    if (kernel.isa > base::detect_isa()) continue;
    benchmark::RegisterBenchmark(kernel.name,
                                 [function = kernel.function](benchmark::State& state) {
                                   run<MatvecT2F32, float, float>(state, function);
                                 })
        ->Arg(1)
        ->Arg(4);
  }
  return 0;
}();

}  // namespace
}  // namespace rsr::kernels
