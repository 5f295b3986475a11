// The matrix of a product on a device: as often in its memory as is wanted, in one of the formats
// that products are compared in.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "cli/bench_problem.h"
#include "cuda/device.h"

namespace rsr::cli {

struct MatvecBenchOptions;

/// Vectors in device memory, and where their products go. Floats as they are given, and int8 as
/// operation multiply reads them: given, or quantised there.
struct DeviceVectors {
  Activation activation = Activation::int8;
  int64_t rows = 0;
  int64_t cols = 0;
  int32_t batch = 0;
  int64_t int8_stride = 0;  // whole lines of every format
  cuda::Memory floats;      // [batch][cols]; empty for Activation::int8
  cuda::Memory int8;        // [batch][int8_stride]; empty for Activation::fp32, as are
  cuda::Memory sums;        // int32 [batch], and
  cuda::Memory scales;      // float [batch], of quantised ones only
  cuda::Memory results;     // [batch][rows]: int32 for Activation::int8, else floats
};

/// The same bytes in device memory several times.
class DeviceCopies {
 public:
  /// At least `count` of the `bytes` at `first`, which is the first of them and stays where it is.
  Status reserve(cuda::Stream& stream, const void* first, size_t bytes, size_t count);
  size_t count() const { return count_; }
  const uint8_t* at(size_t copy) const;

 private:
  const uint8_t* first_ = nullptr;
  size_t stride_ = 0;
  size_t count_ = 0;
  cuda::Memory others_;
};

class DeviceMatrix {
 public:
  DeviceMatrix() = default;
  DeviceMatrix(const DeviceMatrix&) = delete;
  DeviceMatrix& operator=(const DeviceMatrix&) = delete;
  virtual ~DeviceMatrix() = default;

  virtual Status reserve(cuda::Stream& stream, size_t copies) = 0;
  /// Bytes that a product reads of one copy.
  virtual int64_t nbytes() const = 0;
  /// One line: format, bits per weight.
  virtual std::string describe() const = 0;
  /// The operation that multiplies, with its format: "multiply_t2".
  virtual std::string kernel(Activation activation) const = 0;
  /// Height of a row block; 0: none.
  virtual int k() const { return 0; }

  /// Asks for the product of copy number `copy` with the vectors, which are quantised already.
  virtual Status multiply(cuda::Stream& stream, size_t copy, const DeviceVectors& x) const = 0;
};

/// The matrix in the format that `options` ask for, once in device memory. Errors: none that has
/// the product that is asked for; no memory.
Result<std::unique_ptr<DeviceMatrix>> make_device_matrix(cuda::Stream& stream,
                                                         const std::vector<int8_t>& matrix,
                                                         const MatvecBenchOptions& options);

}  // namespace rsr::cli
