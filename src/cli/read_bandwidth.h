// The machine's pure read bandwidth: the measure that every product is held against.
#pragma once

#include <cstdint>

#include "base/aligned.h"
#include "base/thread_pool.h"

namespace rsr::cli {

/// Reads a block of memory larger than the caches, each thread its own part in four far streams
/// with prefetching: on the machines measured that is the fastest way to read (one stream reaches
/// 90 to 95% of it).
class ReadBandwidth {
 public:
  /// `bytes` should be at least twice the last-level cache.
  explicit ReadBandwidth(int64_t bytes);

  /// Bytes per second of one pass over the block.
  double measure(base::ThreadPool& pool) const;

 private:
  base::AlignedArray<uint64_t> block_;
};

}  // namespace rsr::cli
