// The machine's pure read bandwidth: the measure that every product is held against.
#pragma once

#include <cstdint>
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

  /// Bytes per second of one pass over the block, for each way of reading.
  std::vector<double> sample(base::ThreadPool& pool) const;

 private:
  base::AlignedArray<uint64_t> block_;
};

/// Samples of one run, taken before and after what is held against them.
class ReadSamples {
 public:
  void add(const ReadBandwidth& read, base::ThreadPool& pool, int passes);

  /// The median of each way of reading; the best of these.
  double bytes_per_second() const;

 private:
  std::vector<std::vector<double>> samples_;  // [pass][way]
};

}  // namespace rsr::cli
