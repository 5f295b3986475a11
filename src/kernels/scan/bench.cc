// Each kernel of the list on one thread: a matrix that stays in L2, and one that memory delivers,
// for one vector and more.
#include <benchmark/benchmark.h>

#include <vector>

#include "base/aligned.h"
#include "kernels/scan/list.h"

namespace rsr::kernels {
namespace {

constexpr int64_t kCols = 2560;
constexpr int64_t kTileBytes = kCols * kScanTileRows;

void run(benchmark::State& state, ScanI8Function* function) {
  const int64_t tiles = (state.range(0) << 20) / kTileBytes;
  base::AlignedArray<uint8_t> lines(static_cast<size_t>(tiles * kTileBytes));
  std::fill_n(lines.data(), lines.size(), uint8_t{100});  // pages of their own, not the zero page
  const int64_t batch = state.range(1);
  const int64_t rows = tiles * kScanTileRows;
  const std::vector<int8_t> x(static_cast<size_t>(batch * 2 * kCols), 3);
  std::vector<int32_t> high(static_cast<size_t>(batch * rows));
  std::vector<int32_t> low(high);
  const ScanI8 p{lines.data(), kCols / 4, batch, x.data(), high.data(), low.data(), rows};
  for (auto _ : state) {
    function(p, 0, tiles);
    benchmark::ClobberMemory();
  }
  state.counters["GB/s"] = benchmark::Counter(static_cast<double>(lines.size()) * 1e-9,
                                              benchmark::Counter::kIsIterationInvariantRate);
}

const int kRegistered = [] {
  for (const auto& kernel : kScanI8) {
    if (!base::has_isa(kernel.isa) || kernel.isa == base::Isa::reference) continue;
    benchmark::RegisterBenchmark(
        kernel.name,
        [function = kernel.function](benchmark::State& state) { run(state, function); })
        ->ArgNames({"MiB", "batch"})
        ->ArgsProduct({{1, 640}, {1, 2, 3, 4, 8}});
  }
  return 0;
}();

}  // namespace
}  // namespace rsr::kernels
