#include "linear/device_context.h"

#include <utility>

#include "base/check.h"

namespace rsr {
namespace {

using base::error;

Result<cuda::Stream> stream_for(const cuda::Device& device, const DeviceContextOptions& options) {
  if (options.stream.has_value()) return cuda::Stream::borrow(device, *options.stream);
  return cuda::Stream::create(device);
}

}  // namespace

DeviceContext::Impl::~Impl() {
  // A stream of the caller's may still be at work with the memory. What failed there is reported to
  // whoever waits for it.
  if (own.bytes() > 0) static_cast<void>(stream.wait());
}

Result<std::byte*> DeviceContext::Impl::scratch(int64_t bytes) {
  constexpr uintptr_t kBoundary = 16;
  const auto needed = static_cast<size_t>(bytes);
  if (!given.empty()) {
    if (given.size() < needed) {
      return error(ErrorCode::invalid_argument, "scratch: ", given.size(), " bytes given, ", bytes,
                   " needed");
    }
    const uintptr_t beyond = reinterpret_cast<uintptr_t>(given.data()) % kBoundary;
    if (beyond == 0) return given.data();
    return error(ErrorCode::invalid_argument, "scratch: it begins ", beyond,
                 " bytes behind a boundary of ", kBoundary);
  }
  if (own.bytes() < needed) {
    RSR_RETURN_IF_ERROR(stream.wait());  // it may be in use
    own = cuda::Memory();                // before there is more
    RSR_ASSIGN_OR_RETURN(own, cuda::Memory::create(stream.device(), needed));
  }
  return own.as<std::byte>();
}

DeviceContext::DeviceContext(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
DeviceContext::~DeviceContext() = default;
DeviceContext::DeviceContext(DeviceContext&&) noexcept = default;
DeviceContext& DeviceContext::operator=(DeviceContext&&) noexcept = default;

Result<DeviceContext> DeviceContext::create(std::string_view device,
                                            const DeviceContextOptions& options) {
  RSR_ASSIGN_OR_RETURN(const cuda::Device opened, cuda::Device::open(device));
  RSR_ASSIGN_OR_RETURN(cuda::Stream stream, stream_for(opened, options));
  return DeviceContext(std::make_unique<Impl>(std::move(stream), options.scratch));
}

Result<DeviceContext> DeviceContext::with(const DeviceContextOptions& options) const {
  RSR_ASSIGN_OR_RETURN(cuda::Stream stream, stream_for(impl_->stream.device(), options));
  return DeviceContext(std::make_unique<Impl>(std::move(stream), options.scratch));
}

std::string DeviceContext::describe() const {
  return impl_->stream.device().describe();
}

Status DeviceContext::wait() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->stream.wait();
}

}  // namespace rsr
