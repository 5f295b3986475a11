// What a DeviceContext holds.
#pragma once

#include <cstdint>
#include <mutex>
#include <span>

#include "cuda/device.h"
#include "rsr/device.h"

namespace rsr {

struct DeviceContext::Impl {
  Impl(cuda::Stream of_calls, std::span<std::byte> of_caller)
      : stream(std::move(of_calls)), given(of_caller) {}
  ~Impl();

  /// Memory for a call, on a boundary of 16 bytes. Errors: less was given than is needed; no
  /// memory.
  Result<std::byte*> scratch(int64_t bytes);

  cuda::Stream stream;
  std::span<std::byte> given;  // empty: `own`
  cuda::Memory own;
  std::mutex mutex;  // public calls on one context wait for each other
};

}  // namespace rsr
