#include "cli/dot_peak.h"

#include <algorithm>
#include <atomic>

#include "cli/timing.h"
#include "kernels/peak/list.h"

namespace rsr::cli {
namespace {

constexpr int64_t kRounds = 200'000;  // half a millisecond or more
constexpr int kTries = 60;            // enough that some are undisturbed

/// The best of some tries: other work can only make a try slower.
template <class Peak, class Entry>
double peak(base::ThreadPool& pool, const Entry& kernel) {
  if (kernel.isa == base::Isa::reference) return 0;
  double best = 0;
  for (int i = 0; i < kTries; ++i) {
    std::atomic<int64_t> multiply_adds = 0;
    const double begin = now_seconds();
    pool.parallel_for(pool.threads(), [&](base::Range range) {
      Peak p{.rounds = kRounds * (range.end - range.begin)};
      kernel.function(p);
      multiply_adds += p.multiply_adds;
    });
    best = std::max(best, static_cast<double>(multiply_adds) / (now_seconds() - begin));
  }
  return best;
}

}  // namespace

double dot_peak(base::ThreadPool& pool, base::Isa isa) {
  return peak<kernels::PeakI8>(pool, kernels::best_kernel(kernels::kPeakI8, isa));
}

double fma_peak(base::ThreadPool& pool, base::Isa isa) {
  return peak<kernels::PeakF32>(pool, kernels::best_kernel(kernels::kPeakF32, isa));
}

}  // namespace rsr::cli
