// What a DeviceWeight holds, and how it comes to its device.
#pragma once

#include <cstdint>

#include "cuda/device.h"
#include "cuda/operations.h"
#include "matrix/packed.h"
#include "rsr/device.h"

namespace rsr {

struct DeviceWeight::Impl {
  /// What operations read; the caller adds where results go.
  cuda::PackedMatrix matrix;
  matrix::Format format = matrix::Format::t2;
  matrix::Alphabet alphabet = matrix::Alphabet::ternary;
  int64_t cols = 0;
  cuda::Device device;
  cuda::Memory lines;
  cuda::Memory row_scales;
  cuda::Memory group_scales;
};

namespace linear {

/// As to_device(), over a stream.
Result<DeviceWeight> upload(cuda::Stream& stream, const Weight& weight,
                            const DeviceWeightOptions& options = {});

}  // namespace linear
}  // namespace rsr
