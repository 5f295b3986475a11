// What bounds a product, measured beside it: pure reading, and multiply-adds from registers.
#pragma once

#include <vector>

#include "base/cpu.h"
#include "base/thread_pool.h"
#include "cli/read_bandwidth.h"

namespace rsr::cli {

/// Samples of the limits. They are taken between the timed calls: a machine that is shared slows
/// down for seconds at a time, by half at worst, and a limit measured a second earlier is then the
/// limit of another machine.
class Limits {
 public:
  Limits(base::ThreadPool& pool, base::Isa isa) : pool_(pool), isa_(isa) {}

  void sample_reading(ReadBandwidth& read) { read_.add(read.sample(pool_)); }
  void sample_registers();

  /// Medians, of all threads together; 0 where nothing was measured.
  double read_bytes_per_second() const { return read_.bytes_per_second(); }
  /// int8 multiply-adds per second with the vector dot product of the ISA.
  double dot_macs() const;
  /// The same in pairs that are added in 16 bits, where it has no such instruction; else 0.
  double pair_macs() const;
  /// The same with its products of tiles; 0 where it has none.
  double tile_macs() const;
  /// fp32 fused multiply-adds per second.
  double fma_macs() const;

 private:
  base::ThreadPool& pool_;
  base::Isa isa_;
  ReadSamples read_;
  std::vector<double> dot_;
  std::vector<double> pair_;
  std::vector<double> tile_;
  std::vector<double> fma_;
};

}  // namespace rsr::cli
