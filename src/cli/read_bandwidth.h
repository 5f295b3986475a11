// The machine's pure read bandwidth: the measure that every product is held against.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "base/aligned.h"
#include "base/thread_pool.h"

namespace rsr::cli {

/// Reads a block of memory larger than the caches, each thread its own part. Which way of reading
/// is the fastest differs by machine and by what runs beside it, so every sample tries all of them:
/// four far streams with prefetching, the same without, and one stream with prefetching.
///
/// 16-byte loads do: with AVX-512 loads the first way was no faster on the machine measured.
class ReadBandwidth {
 public:
  /// `bytes` should be at least twice the last-level cache.
  explicit ReadBandwidth(int64_t bytes);

  int64_t nbytes() const;

  /// Bytes per second of each way of reading. Each call reads the next few megabytes of the block,
  /// so that none are in a cache.
  std::vector<double> sample(base::ThreadPool& pool);

 private:
  const char* next(int64_t bytes);

  base::AlignedArray<uint64_t> block_;
  int64_t at_ = 0;
};

/// Samples of one run.
class ReadSamples {
 public:
  void add(std::vector<double> sample) { samples_.push_back(std::move(sample)); }

  /// The median of each way of reading; the best of these. 0 without samples.
  double bytes_per_second() const;

 private:
  std::vector<std::vector<double>> samples_;  // [sample][way]
};

}  // namespace rsr::cli
