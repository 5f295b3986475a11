// Devices that run kernels, as the rooms above see them: memory, streams, graphs; no CUDA type.
//
// There are two backends of the same kernels: NVIDIA's (where this build has the CUDA toolkit), and
// one that emulates a device on the host for tests. Everything is asynchronous on explicit streams;
// each object knows its device, so that several devices and threads do not meet.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "rsr/status.h"

namespace rsr::cuda {

struct Operations;  // cuda/operations.h: what kernels can do

struct DeviceInfo {
  std::string name;
  int64_t memory_bytes = 0;
  int64_t l2_bytes = 0;
  int multiprocessors = 0;
  int compute_capability = 0;  // 90 for 9.0
};

enum class CopyKind : uint8_t { to_device, to_host, on_device };

/// A way to run kernels. Handles are the backend's own; null is none.
class Backend {
 public:
  virtual ~Backend() = default;
  /// As `--device` calls it: "cuda".
  virtual const char* name() const noexcept = 0;
  /// Errors: no driver, no device, with the driver's words.
  virtual Result<std::vector<DeviceInfo>> devices() const = 0;
  virtual const Operations& operations() const noexcept = 0;

  virtual Result<void*> allocate(int device, size_t bytes) const = 0;
  virtual void release(int device, void* memory) const noexcept = 0;
  /// Host memory that copies can read and write without a detour.
  virtual Result<void*> allocate_pinned(int device, size_t bytes) const = 0;
  virtual void release_pinned(int device, void* memory) const noexcept = 0;

  virtual Result<void*> create_stream(int device) const = 0;
  virtual void destroy_stream(int device, void* stream) const noexcept = 0;
  virtual Status copy(int device, void* stream, void* to, const void* from, size_t bytes,
                      CopyKind kind) const = 0;
  virtual Status clear(int device, void* stream, void* memory, size_t bytes) const = 0;
  /// Until all that was asked of the stream is done; reports what failed in it.
  virtual Status wait(int device, void* stream) const = 0;

  /// What is asked of the stream from here to end_capture() is not done but kept.
  virtual Status begin_capture(int device, void* stream) const = 0;
  virtual Result<void*> end_capture(int device, void* stream) const = 0;
  virtual Status launch_graph(int device, void* stream, void* graph) const = 0;
  virtual void destroy_graph(int device, void* graph) const noexcept = 0;

  /// A mark in a stream, and the milliseconds between two that have passed.
  virtual Result<void*> record_event(int device, void* stream) const = 0;
  virtual Result<float> milliseconds(int device, void* begin, void* end) const = 0;
  virtual void destroy_event(int device, void* event) const noexcept = 0;
};

/// The backend of a name: "cuda", or one that was added. Errors: a build without the toolkit, an
/// unknown name.
Result<const Backend*> find_backend(std::string_view name);
/// Adds one for the rest of the process, or takes the place of one.
void add_backend(const Backend* backend);

/// One device of a backend. Cheap to copy.
class Device {
 public:
  /// "cuda" or "cuda:1". Errors: those of find_backend(), no such device, no device at all.
  static Result<Device> open(std::string_view name);

  const Backend& backend() const { return *backend_; }
  int index() const { return index_; }
  const DeviceInfo& info() const { return info_; }
  /// "cuda:0, NVIDIA H200".
  std::string describe() const;

 private:
  Device() = default;
  const Backend* backend_ = nullptr;
  int index_ = 0;
  DeviceInfo info_;
};

/// Device memory, of which this object is the owner.
class Memory {
 public:
  Memory() = default;
  static Result<Memory> create(const Device& device, size_t bytes);
  Memory(Memory&& other) noexcept { swap(other); }
  Memory& operator=(Memory&& other) noexcept {
    swap(other);
    return *this;
  }
  ~Memory();

  size_t bytes() const { return bytes_; }
  void* data() const { return data_; }
  template <class T>
  T* as() const {
    return static_cast<T*>(data_);
  }

 private:
  void swap(Memory& other) noexcept {
    std::swap(backend_, other.backend_);
    std::swap(device_, other.device_);
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
  }
  const Backend* backend_ = nullptr;
  int device_ = 0;
  void* data_ = nullptr;
  size_t bytes_ = 0;
};

/// `*memory` becomes room for `count` values. Errors: no memory.
template <class T>
Status reserve_array(const Device& device, int64_t count, Memory* memory) {
  Result<Memory> made = Memory::create(device, static_cast<size_t>(count) * sizeof(T));
  if (!made.ok()) return made.status();
  *memory = std::move(made).value();
  return {};
}

/// Host memory for copies that run beside the host.
class PinnedMemory {
 public:
  PinnedMemory() = default;
  static Result<PinnedMemory> create(const Device& device, size_t bytes);
  PinnedMemory(PinnedMemory&& other) noexcept { swap(other); }
  PinnedMemory& operator=(PinnedMemory&& other) noexcept {
    swap(other);
    return *this;
  }
  ~PinnedMemory();

  size_t bytes() const { return bytes_; }
  template <class T>
  T* as() const {
    return static_cast<T*>(data_);
  }

 private:
  void swap(PinnedMemory& other) noexcept {
    std::swap(backend_, other.backend_);
    std::swap(device_, other.device_);
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
  }
  const Backend* backend_ = nullptr;
  int device_ = 0;
  void* data_ = nullptr;
  size_t bytes_ = 0;
};

/// Launches that were captured, to be done again as one.
class Graph {
 public:
  Graph() = default;
  Graph(const Backend* backend, int device, void* handle)
      : backend_(backend), device_(device), handle_(handle) {}
  Graph(Graph&& other) noexcept { swap(other); }
  Graph& operator=(Graph&& other) noexcept {
    swap(other);
    return *this;
  }
  ~Graph();
  bool empty() const { return handle_ == nullptr; }
  void* handle() const { return handle_; }

 private:
  void swap(Graph& other) noexcept {
    std::swap(backend_, other.backend_);
    std::swap(device_, other.device_);
    std::swap(handle_, other.handle_);
  }
  const Backend* backend_ = nullptr;
  int device_ = 0;
  void* handle_ = nullptr;
};

/// An order of work on a device. Used by one thread at a time.
class Stream {
 public:
  static Result<Stream> create(const Device& device);
  /// One of the caller's (a cudaStream_t; null: CUDA's default stream), which outlives this object.
  static Stream borrow(const Device& device, void* handle);
  Stream(Stream&& other) noexcept { swap(other); }
  Stream& operator=(Stream&& other) noexcept {
    swap(other);
    return *this;
  }
  ~Stream();

  const Device& device() const { return *device_; }

  Status copy_to_device(void* to, const void* from, size_t bytes);
  Status copy_to_host(void* to, const void* from, size_t bytes);
  Status copy_on_device(void* to, const void* from, size_t bytes);
  Status clear(void* memory, size_t bytes);
  Status wait();

  /// One operation: stream.run(&Operations::norm, params).
  template <class Params, class Table = Operations>
  Status run(Status (*Table::*operation)(int device, void* stream, const Params&),
             const Params& params) {
    return (device_->backend().operations().*operation)(device_->index(), handle_, params);
  }

  /// What `body` (a callable that gives a Status) asks of this stream, as a graph; none of it is
  /// done yet.
  template <class Body>
  Result<Graph> capture(const Body& body) {
    Status begun = begin_capture();
    if (!begun.ok()) return begun;
    const Status asked = body();
    Result<Graph> graph = end_capture();
    if (!asked.ok()) return asked;
    return graph;
  }
  Status launch(const Graph& graph);

  /// Milliseconds that the device takes for what `body` asks of this stream; waits for it.
  template <class Body>
  Result<float> time(const Body& body) {
    Result<void*> begin = mark();
    if (!begin.ok()) return begin.status();
    const Status asked = body();
    Result<void*> end = mark();
    return elapsed(asked, *begin, end);
  }

 private:
  Stream() = default;
  Status begin_capture();
  Result<Graph> end_capture();
  Result<void*> mark();
  Result<float> elapsed(const Status& asked, void* begin, Result<void*>& end);
  void swap(Stream& other) noexcept {
    std::swap(device_, other.device_);
    std::swap(handle_, other.handle_);
    std::swap(owned_, other.owned_);
  }
  std::shared_ptr<const Device> device_;
  void* handle_ = nullptr;
  bool owned_ = false;
};

/// `count` elements from the host in memory of their own on the device.
template <class T>
Result<Memory> upload(Stream& stream, std::span<const T> values) {
  Result<Memory> memory = Memory::create(stream.device(), values.size_bytes());
  if (!memory.ok()) return memory;
  const Status copied = stream.copy_to_device(memory->data(), values.data(), values.size_bytes());
  if (!copied.ok()) return copied;
  const Status waited = stream.wait();  // the host's memory is free again
  if (!waited.ok()) return waited;
  return memory;
}

}  // namespace rsr::cuda
