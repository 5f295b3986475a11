#include "cli/read_bandwidth.h"

#include <atomic>

#include "cli/timing.h"

namespace rsr::cli {
namespace {

constexpr int kStreams = 4;
constexpr int64_t kLine = 8;         // uint64 per cache line
constexpr int64_t kNear = 128;       // 1 KiB ahead into L1
constexpr int64_t kFar = 2 * kNear;  // 2 KiB ahead into L2

/// Sum of `count` elements, read as four streams a quarter apart; a multiple of 32 is read.
uint64_t read_streams(const uint64_t* data, int64_t count) {
  const int64_t quarter = count / kStreams / kLine * kLine;
  uint64_t sums[kStreams][kLine] = {};
  for (int64_t i = 0; i < quarter; i += kLine) {
    for (int s = 0; s < kStreams; ++s) {
      const uint64_t* line = data + s * quarter + i;
      __builtin_prefetch(line + kNear, 0, 3);
      __builtin_prefetch(line + kFar, 0, 2);
      for (int64_t j = 0; j < kLine; ++j) sums[s][j] += line[j];
    }
  }
  uint64_t total = 0;
  for (const auto& lanes : sums) {
    for (const uint64_t v : lanes) total += v;
  }
  return total;
}

}  // namespace

ReadBandwidth::ReadBandwidth(int64_t bytes)
    : block_(static_cast<size_t>(bytes) / sizeof(uint64_t)) {
  for (size_t i = 0; i < block_.size(); ++i) block_[i] = i;
}

double ReadBandwidth::measure(base::ThreadPool& pool) const {
  std::atomic<uint64_t> sum = 0;
  const double begin = now_seconds();
  pool.parallel_for(static_cast<int64_t>(block_.size()), [&](base::Range range) {
    sum += read_streams(block_.data() + range.begin, range.end - range.begin);
  });
  const double seconds = now_seconds() - begin;
  // The sum is used, so that no compiler may leave the reading out; its value is nothing to us.
  const double bytes = static_cast<double>(block_.size() * sizeof(uint64_t));
  return sum.load() == 1 ? 0.0 : bytes / seconds;
}

}  // namespace rsr::cli
