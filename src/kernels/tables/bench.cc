// Each kernel of the list on 2,560 inputs: the time that comes before every look-up product.
#include <benchmark/benchmark.h>

#include <vector>

#include "base/aligned.h"
#include "kernels/matvec/matvec.h"
#include "kernels/tables/list.h"

namespace rsr::kernels {
namespace {

constexpr int64_t kCols = 2560;

template <class List>
void add(const List& list, int64_t units, int64_t floats) {
  for (const auto& kernel : list) {
    if (!base::has_isa(kernel.isa)) continue;
    benchmark::RegisterBenchmark(kernel.name, [=, f = kernel.function](benchmark::State& state) {
      const std::vector<float> x(kCols, 1.0f);
      base::AlignedArray<float> tables(static_cast<size_t>(units * floats));
      for (auto _ : state) {
        f({x.data(), kCols, false, tables.data()}, 0, units);
        benchmark::ClobberMemory();
      }
    });
  }
}

const int kRegistered = [] {
  add(kTablesT3F32, (kCols + 17) / 18, kT3LineFloats);
  add(kTablesB1F32, (kCols + 63) / 64, kB1PairFloats);
  return 0;
}();

}  // namespace
}  // namespace rsr::kernels
