// Products on a GPU: a prepared matrix is copied there once, and multiplies vectors that lie there.
// A build without CUDA, or a machine without a GPU, says so when a context is created.
#pragma once

#include <rsr/linear.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace rsr {

struct DeviceContextOptions {
  /// The stream that work is asked of: one of the caller's (a cudaStream_t; null is CUDA's default
  /// stream), which lives as long as the context. Empty: one of the context's own.
  std::optional<void*> stream = {};
  /// Device memory of the caller's for what lies between the steps of a product, on a boundary of
  /// 16 bytes and as long as scratch_bytes() says; in use until those steps are done. Empty: the
  /// context's own, which only grows. A call that makes it grow waits for the stream, and can
  /// therefore not be captured in a graph.
  std::span<std::byte> scratch = {};
};

/// A device, a stream and scratch memory. A context may be shared by threads (calls then wait for
/// each other while they ask for their work, and that is done in turn).
class DeviceContext {
 public:
  /// `device`: "cuda" or "cuda:1". Errors: a build without CUDA, no driver, no such device.
  static Result<DeviceContext> create(std::string_view device,
                                      const DeviceContextOptions& options = {});
  ~DeviceContext();
  DeviceContext(DeviceContext&&) noexcept;
  DeviceContext& operator=(DeviceContext&&) noexcept;

  /// The same device with other options. Cheap where it makes no stream of its own: for callers
  /// whose stream changes from call to call.
  Result<DeviceContext> with(const DeviceContextOptions& options) const;

  /// "cuda:0, NVIDIA H200".
  std::string describe() const;
  /// Until all that was asked of the stream is done. Errors: what failed in it.
  Status wait() const;

  /// What a product of `batch` vectors of `cols` columns needs.
  static int64_t scratch_bytes(int64_t batch, int64_t cols);

  struct Impl;
  Impl& impl() const { return *impl_; }

 private:
  explicit DeviceContext(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

struct DeviceWeightOptions {
  /// Ternary weights in 1.6 bits instead of 2. They serve int8 and quantised vectors only, and
  /// take no group scales.
  bool compact = false;
};

/// A weight on a device. Immutable: copies share it, and threads and contexts of that device may.
class DeviceWeight {
 public:
  int64_t rows() const;
  int64_t cols() const;
  /// Bytes of packed weights and scales on the device.
  int64_t nbytes() const;
  /// One line: format and device.
  std::string describe() const;

  struct Impl;
  const Impl& impl() const { return *impl_; }
  explicit DeviceWeight(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}

 private:
  std::shared_ptr<const Impl> impl_;
};

/// Copies a weight, which is not needed afterwards, to the context's device and waits until it is
/// there. Errors: no memory on the device; weights without kernels there: those prepared with
/// Algorithm::rsr, groups of columns that do not fill lines (16 columns of ternary, 32 of binary
/// weights).
Result<DeviceWeight> to_device(const DeviceContext& context, const Weight& weight,
                               const DeviceWeightOptions& options = {});

// Products. All arrays lie in the memory of the context's device, and all three functions return
// when they have asked for the work: until it is done arrays and weights must stay as they are, and
// what goes wrong then is wait()'s to say. Errors: a weight on another device; wrong lengths. NaN
// and infinity are no errors, since nobody waits to see them: a vector with one gives NaN in all of
// its results, and the others of the batch are as they would be without it.

/// Floats in device memory; 16-bit ones are widened exactly.
struct DeviceFloats {
  enum class Type { f32, f16, bf16 };
  const void* data = nullptr;
  int64_t count = 0;
  Type type = Type::f32;
};

/// y[batch, rows] = scale * (W[rows, cols] x[batch, cols]), activations not quantised. The bits are
/// those of a Context whose instruction set packs ternary weights in 2 bits; the error is at most
/// 1e-6 of the sum of |scale * w * x| always. Error: a compact weight.
Status multiply(const DeviceContext& context, const DeviceWeight& weight, const DeviceFloats& x,
                std::span<float> y);

/// y[batch, rows] = W[rows, cols] x[batch, cols] in exact integers; scales are not applied (a
/// weight with group scales is refused).
Status multiply(const DeviceContext& context, const DeviceWeight& weight, std::span<const int8_t> x,
                std::span<int32_t> y);

/// One of several products of the same vectors.
struct DeviceProduct {
  const DeviceWeight* weight = nullptr;
  std::span<float> y;  ///< [batch, rows]
};

/// As multiply_quantised() of a Context, with the same bits: x is quantised on the device, once for
/// all products.
Status multiply_quantised(const DeviceContext& context, std::span<const DeviceProduct> products,
                          const DeviceFloats& x);

}  // namespace rsr
