#include "cuda/emulated/backend.h"

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include "base/check.h"
#include "cuda/emulated/fibers.h"
#include "cuda/launch.h"

namespace rsr::cuda::emulated {
namespace {

/// A kernel, or something that the host does.
struct Work {
  std::optional<simt::Launch> launch;
  std::function<void()> body;
};
using Captured = std::vector<Work>;

/// Work is kept while a graph is captured. Else it is done at once, but for the latest kernel: the
/// next one starts before it, as far as it can.
class EmulatedStream {
 public:
  ~EmulatedStream() { finish(); }

  Status add(Work work) {
    if (captured != nullptr) {
      captured->push_back(std::move(work));
    } else {
      run(work);
    }
    return {};
  }
  void run(const Work& work) {
    if (!work.launch.has_value()) {
      finish();
      work.body();
      return;
    }
    auto next = std::make_unique<Grid>(*work.launch, work.body);
    next->start();
    finish();
    latest_ = std::move(next);
  }
  void finish() {
    if (latest_ != nullptr) latest_->finish();
    latest_ = nullptr;
  }

  Captured* captured = nullptr;

 private:
  std::unique_ptr<Grid> latest_;
};

EmulatedStream& stream_of(void* handle) {
  return *static_cast<EmulatedStream*>(handle);
}

/// As CUDA's default stream, which kernels do not start early in: threads may share it.
Status add(void* stream, Work work) {
  if (stream != nullptr) return stream_of(stream).add(std::move(work));
  EmulatedStream().run(work);
  return {};
}

using Clock = std::chrono::steady_clock;

class EmulatedBackend : public Backend {
 public:
  const char* name() const noexcept override { return "emulated"; }

  Result<std::vector<DeviceInfo>> devices() const override {
    return std::vector<DeviceInfo>{
        {"emulated on the host", int64_t{4} << 30, int64_t{1} << 20, 2, 90},
        {"emulated on the host", int64_t{4} << 30, int64_t{1} << 20, 2, 90}};
  }

  const Operations& operations() const noexcept override {
    static constexpr Operations kOperations = {
#define CUDA_OPERATION(name, Params) emulated::name,
#include "cuda/operations.inc"
    };
    return kOperations;
  }

  Result<void*> allocate(int /*device*/, size_t bytes) const override {
    constexpr size_t kBoundary = 256;  // of cudaMalloc
    void* memory = nullptr;
    RSR_CHECK(::posix_memalign(&memory, kBoundary, bytes > 0 ? bytes : 1) == 0);
    std::memset(memory, 0xCD, bytes);  // what nobody has written, nobody may read
    return memory;
  }
  void release(int /*device*/, void* memory) const noexcept override {
    std::free(memory);
  }
  Result<void*> allocate_pinned(int device, size_t bytes) const override {
    return allocate(device, bytes);
  }
  void release_pinned(int device, void* memory) const noexcept override {
    release(device, memory);
  }

  Result<void*> create_stream(int /*device*/) const override {
    return static_cast<void*>(new EmulatedStream);
  }
  void destroy_stream(int /*device*/, void* stream) const noexcept override {
    delete &stream_of(stream);
  }
  Status copy(int /*device*/, void* stream, void* to, const void* from, size_t bytes,
              CopyKind /*kind*/) const override {
    return add(stream, {{}, [=] {
                          if (bytes > 0) std::memcpy(to, from, bytes);
                        }});
  }
  Status clear(int /*device*/, void* stream, void* memory, size_t bytes) const override {
    return add(stream, {{}, [=] { std::memset(memory, 0, bytes); }});
  }
  Status wait(int /*device*/, void* stream) const override {
    if (stream == nullptr) return {};
    RSR_CHECK(stream_of(stream).captured == nullptr);  // a GPU refuses to wait for what is captured
    stream_of(stream).finish();
    return {};
  }

  Status begin_capture(int /*device*/, void* stream) const override {
    RSR_CHECK(stream_of(stream).captured == nullptr);
    stream_of(stream).captured = new Captured;
    return {};
  }
  Result<void*> end_capture(int /*device*/, void* stream) const override {
    return static_cast<void*>(std::exchange(stream_of(stream).captured, nullptr));
  }
  Status launch_graph(int /*device*/, void* stream, void* graph) const override {
    RSR_CHECK(stream_of(stream).captured == nullptr);
    stream_of(stream).finish();
    for (const Work& work : *static_cast<Captured*>(graph)) stream_of(stream).run(work);
    return {};
  }
  void destroy_graph(int /*device*/, void* graph) const noexcept override {
    delete static_cast<Captured*>(graph);
  }

  Result<void*> record_event(int device, void* stream) const override {
    RSR_RETURN_IF_ERROR(wait(device, stream));
    return static_cast<void*>(new Clock::time_point(Clock::now()));
  }
  Result<float> milliseconds(int /*device*/, void* begin, void* end) const override {
    const auto passed =
        *static_cast<Clock::time_point*>(end) - *static_cast<Clock::time_point*>(begin);
    return std::chrono::duration<float, std::milli>(passed).count();
  }
  void destroy_event(int /*device*/, void* event) const noexcept override {
    delete static_cast<Clock::time_point*>(event);
  }
};

}  // namespace

Status submit(void* stream, const simt::Launch& launch, std::function<void()> kernel) {
  return add(stream, {launch, std::move(kernel)});
}

const Backend& backend() {
  static const EmulatedBackend only;
  return only;
}

}  // namespace rsr::cuda::emulated
