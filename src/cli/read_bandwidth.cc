#include "cli/read_bandwidth.h"

#include <algorithm>
#include <atomic>

#include "cli/timing.h"

namespace rsr::cli {
namespace {

// Four of them are a cache line. The widest vector that every x86-64 machine has: this file is
// built without instruction-set flags.
using Lanes = uint64_t __attribute__((vector_size(16)));

constexpr int kLine = 64;
constexpr int kNear = 1024;  // bytes ahead into the first cache
constexpr int kFar = 2048;   // bytes ahead into the second

// About a millisecond of one thread: starting the threads is then a few thousandths of it.
constexpr int64_t kSampleBytes = int64_t{16} << 20;

void add_line(const char* line, Lanes (&sums)[4]) {
  const auto* lanes = reinterpret_cast<const Lanes*>(line);
  for (int i = 0; i < 4; ++i) sums[i] += lanes[i];
}

/// Sum of `bytes`, read as streams that lie far apart; whole lines of each stream are read.
template <int streams, bool prefetch>
uint64_t read_streams(const char* data, int64_t bytes) {
  const int64_t part = bytes / streams / kLine * kLine;
  Lanes sums[4] = {};
  for (int64_t i = 0; i < part; i += kLine) {
    for (int s = 0; s < streams; ++s) {
      const char* line = data + s * part + i;
      if constexpr (prefetch) {
        __builtin_prefetch(line + kNear, 0, 3);  // past the end is harmless
        __builtin_prefetch(line + kFar, 0, 1);
      }
      add_line(line, sums);
    }
  }
  const Lanes total = sums[0] + sums[1] + sums[2] + sums[3];
  return total[0] + total[1];
}

using Read = uint64_t(const char* data, int64_t bytes);
constexpr Read* kWays[] = {read_streams<4, true>, read_streams<4, false>, read_streams<1, true>};

/// Touches every page. On a virtual machine pages that were not used for seconds may be slow once,
/// for the host took them away; beside a model of 10 billion weights that halved what was measured.
uint64_t touch_pages(const char* data, int64_t bytes) {
  constexpr int64_t kPage = 4096;
  uint64_t sum = 0;
  for (int64_t at = 0; at < bytes; at += kPage)
    sum += *reinterpret_cast<const uint64_t*>(data + at);
  return sum;
}

double bytes_per_second(base::ThreadPool& pool, Read* read, const char* block, int64_t bytes) {
  std::atomic<uint64_t> sum = touch_pages(block, bytes);
  const double begin = now_seconds();
  pool.parallel_for(bytes / kLine, [&](base::Range lines) {
    sum += read(block + lines.begin * kLine, (lines.end - lines.begin) * kLine);
  });
  const double seconds = now_seconds() - begin;
  // The sum is used, so that no compiler may leave the reading out; its value is nothing to us.
  return sum.load() == 1 ? 0.0 : static_cast<double>(bytes) / seconds;
}

}  // namespace

ReadBandwidth::ReadBandwidth(int64_t bytes)
    : block_(static_cast<size_t>(bytes) / sizeof(uint64_t)) {
  for (size_t i = 0; i < block_.size(); ++i) block_[i] = i;
}

int64_t ReadBandwidth::nbytes() const {
  return static_cast<int64_t>(block_.size() * sizeof(uint64_t));
}

const char* ReadBandwidth::next(int64_t bytes) {
  if (at_ + bytes > nbytes()) at_ = 0;
  const auto* data = reinterpret_cast<const char*>(block_.data()) + at_;
  at_ += bytes;
  return data;
}

std::vector<double> ReadBandwidth::sample(base::ThreadPool& pool) {
  const int64_t bytes = std::min(kSampleBytes, nbytes());
  std::vector<double> rates;
  for (Read* way : kWays) rates.push_back(bytes_per_second(pool, way, next(bytes), bytes));
  return rates;
}

double ReadSamples::bytes_per_second() const {
  double best = 0;
  for (size_t way = 0; way < std::size(kWays) && !samples_.empty(); ++way) {
    std::vector<double> rates;
    for (const auto& sample : samples_) rates.push_back(sample[way]);
    best = std::max(best, median_of(std::move(rates)));
  }
  return best;
}

}  // namespace rsr::cli
