// How products are timed on a device: many of them in one captured graph; and the bandwidth that
// they are held against.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "cli/bench_record.h"
#include "cuda/device.h"

namespace rsr::cli {

/// Half a gigabyte: far beyond the L2 of any device.
inline constexpr int64_t kCopyBytes = int64_t{512} << 20;
/// A graph of so many products takes long beside the gap between two graphs.
inline constexpr size_t kGraphProducts = 256;

/// The bandwidth of copies within a device's memory, bytes that are read and those that are written
/// both counted.
class CopyBandwidth {
 public:
  /// Of two blocks of `bytes` each.
  static Result<CopyBandwidth> create(cuda::Stream& stream, int64_t bytes = kCopyBytes);

  Status sample(cuda::Stream& stream);
  /// Forgets the samples.
  void restart() { seconds_.clear(); }
  /// The median of the samples; 0 without any.
  double bytes_per_second() const;

 private:
  cuda::Memory from_;
  cuda::Memory to_;
  std::vector<double> seconds_;
};

/// Copies of `bytes` that have so many bytes together that each is read from memory: `cold_bytes`
/// or, when that is 0, 256 MB or twice the device's L2. At least 2.
size_t cold_copies(const cuda::Device& device, int64_t bytes, int64_t cold_bytes);

/// Products that use copies of the weights in turn.
struct ProductsInTurn {
  size_t copies = 1;
  size_t products = kGraphProducts;  // of a graph, at least: every copy is used equally often
  std::function<Status(size_t copy)> ask;
};

/// Times `record->repeats` launches of a graph of products, and samples the bandwidth now and then
/// in between. Fills in the times of one product, and what there is to say of a device.
Status time_products(cuda::Stream& stream, const ProductsInTurn& what, CopyBandwidth& copy,
                     BenchRecord* record);

}  // namespace rsr::cli
