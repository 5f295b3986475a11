#include "cuda/device.h"

#include <charconv>
#include <mutex>

#include "base/check.h"
#include "cuda/nvidia/backend.h"

namespace rsr::cuda {
namespace {

using base::error;

/// Backends by name; the build's own one comes with the first question.
struct Registry {
  std::mutex mutex;
  std::vector<const Backend*> backends;
};

Registry& registry() {
  static Registry all;
  return all;
}

/// The number behind "cuda:"; an empty text is 0.
Result<int> parse_index(std::string_view name, std::string_view text) {
  int index = 0;
  const char* end = text.data() + text.size();
  if (!text.empty() && std::from_chars(text.data(), end, index).ptr == end && index >= 0) {
    return index;
  }
  return error(ErrorCode::invalid_argument, "device '", name,
               "': write a number of a device behind the colon, as in cuda:0");
}

}  // namespace

Result<const Backend*> find_backend(std::string_view name) {
  Registry& all = registry();
  const std::lock_guard lock(all.mutex);
  for (const Backend* backend : all.backends) {
    if (backend->name() == name) return backend;
  }
  if (name != "cuda") {
    return error(ErrorCode::invalid_argument, "device '", name, "' is unknown; known: cpu, cuda");
  }
  return nvidia::backend();
}

void add_backend(const Backend* backend) {
  Registry& all = registry();
  const std::lock_guard lock(all.mutex);
  for (const Backend*& known : all.backends) {
    if (std::string_view(known->name()) == backend->name()) {
      known = backend;
      return;
    }
  }
  all.backends.push_back(backend);
}

Result<Device> Device::open(std::string_view name) {
  const size_t colon = name.find(':');
  RSR_ASSIGN_OR_RETURN(const Backend* backend, find_backend(name.substr(0, colon)));
  int index = 0;
  if (colon != std::string_view::npos) {
    RSR_ASSIGN_OR_RETURN(index, parse_index(name, name.substr(colon + 1)));
  }
  RSR_ASSIGN_OR_RETURN(const std::vector<DeviceInfo> devices, backend->devices());
  if (static_cast<size_t>(index) >= devices.size()) {
    return error(ErrorCode::not_found, "device '", name, "': there are ", devices.size(),
                 " devices here, counted from 0");
  }
  Device device;
  device.backend_ = backend;
  device.index_ = index;
  device.info_ = devices[static_cast<size_t>(index)];
  return device;
}

std::string Device::describe() const {
  return std::string(backend_->name()) + ":" + std::to_string(index_) + ", " + info_.name;
}

Result<Memory> Memory::create(const Device& device, size_t bytes) {
  Memory memory;
  RSR_ASSIGN_OR_RETURN(memory.data_, device.backend().allocate(device.index(), bytes));
  memory.backend_ = &device.backend();
  memory.device_ = device.index();
  memory.bytes_ = bytes;
  return memory;
}

Memory::~Memory() {
  if (data_ != nullptr) backend_->release(device_, data_);
}

Result<PinnedMemory> PinnedMemory::create(const Device& device, size_t bytes) {
  PinnedMemory memory;
  RSR_ASSIGN_OR_RETURN(memory.data_, device.backend().allocate_pinned(device.index(), bytes));
  memory.backend_ = &device.backend();
  memory.device_ = device.index();
  memory.bytes_ = bytes;
  return memory;
}

PinnedMemory::~PinnedMemory() {
  if (data_ != nullptr) backend_->release_pinned(device_, data_);
}

Graph::~Graph() {
  if (handle_ != nullptr) backend_->destroy_graph(device_, handle_);
}

Result<Stream> Stream::create(const Device& device) {
  Stream stream;
  stream.device_ = std::make_shared<const Device>(device);
  RSR_ASSIGN_OR_RETURN(stream.handle_, device.backend().create_stream(device.index()));
  stream.owned_ = true;
  return stream;
}

Stream Stream::borrow(const Device& device, void* handle) {
  Stream stream;
  stream.device_ = std::make_shared<const Device>(device);
  stream.handle_ = handle;
  return stream;
}

Stream::~Stream() {
  if (owned_) device_->backend().destroy_stream(device_->index(), handle_);
}

Status Stream::copy_to_device(void* to, const void* from, size_t bytes) {
  return device_->backend().copy(device_->index(), handle_, to, from, bytes, CopyKind::to_device);
}

Status Stream::copy_to_host(void* to, const void* from, size_t bytes) {
  return device_->backend().copy(device_->index(), handle_, to, from, bytes, CopyKind::to_host);
}

Status Stream::copy_on_device(void* to, const void* from, size_t bytes) {
  return device_->backend().copy(device_->index(), handle_, to, from, bytes, CopyKind::on_device);
}

Status Stream::clear(void* memory, size_t bytes) {
  return device_->backend().clear(device_->index(), handle_, memory, bytes);
}

Status Stream::wait() {
  return device_->backend().wait(device_->index(), handle_);
}

Status Stream::begin_capture() {
  return device_->backend().begin_capture(device_->index(), handle_);
}

Result<Graph> Stream::end_capture() {
  RSR_ASSIGN_OR_RETURN(void* graph, device_->backend().end_capture(device_->index(), handle_));
  return Graph(&device_->backend(), device_->index(), graph);
}

Status Stream::launch(const Graph& graph) {
  RSR_CHECK(!graph.empty());
  return device_->backend().launch_graph(device_->index(), handle_, graph.handle());
}

Result<void*> Stream::mark() {
  return device_->backend().record_event(device_->index(), handle_);
}

Result<float> Stream::elapsed(const Status& asked, void* begin, Result<void*>& end) {
  const Backend& backend = device_->backend();
  Status status = asked;
  if (status.ok() && !end.ok()) status = end.status();
  if (status.ok()) status = wait();
  Result<float> time = status;
  if (status.ok()) time = backend.milliseconds(device_->index(), begin, *end);
  backend.destroy_event(device_->index(), begin);
  if (end.ok()) backend.destroy_event(device_->index(), *end);
  return time;
}

}  // namespace rsr::cuda
