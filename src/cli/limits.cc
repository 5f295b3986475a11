#include "cli/limits.h"

#include <atomic>

#include "cli/timing.h"
#include "kernels/peak/list.h"

namespace rsr::cli {
namespace {

constexpr int64_t kRounds = 100'000;  // a quarter of a millisecond or more

/// Multiply-adds per second of one try; 0 where the instruction set has no kernel for it.
template <class Peak, class Entry>
double peak(base::ThreadPool& pool, const Entry& kernel) {
  if (kernel.isa == base::Isa::reference) return 0;
  std::atomic<int64_t> multiply_adds = 0;
  const double begin = now_seconds();
  pool.parallel_for(pool.threads(), [&](base::Range range) {
    Peak p{.rounds = kRounds * (range.end - range.begin)};
    kernel.function(p);
    multiply_adds += p.multiply_adds;
  });
  return static_cast<double>(multiply_adds) / (now_seconds() - begin);
}

}  // namespace

void Limits::sample_registers() {
  using namespace kernels;
  const auto& dot = best_kernel(kPeakI8, isa_);
  dot_.push_back(peak<PeakI8>(pool_, dot));
  // Where there is a dot product, nobody would take these.
  if (dot.isa == base::Isa::avx2 || dot.isa == base::Isa::avx512bw) {
    pair_.push_back(peak<PeakI8>(pool_, best_kernel(kPeakPairsI8, isa_)));
  }
  for (const auto& kernel : kPeakTilesI8) {
    if (base::isa_includes(isa_, kernel.isa)) tile_.push_back(peak<PeakI8>(pool_, kernel));
  }
  fma_.push_back(peak<PeakF32>(pool_, best_kernel(kPeakF32, isa_)));
}

double Limits::dot_macs() const {
  return median_of(dot_);
}

double Limits::pair_macs() const {
  return median_of(pair_);
}

double Limits::tile_macs() const {
  return median_of(tile_);
}

double Limits::fma_macs() const {
  return median_of(fma_);
}

}  // namespace rsr::cli
