#include "cuda/nvidia/backend.h"

#include "cuda/launch.h"

namespace rsr::cuda::nvidia {
namespace {

using base::error;

cudaStream_t stream_of(void* handle) {
  return static_cast<cudaStream_t>(handle);
}

Result<DeviceInfo> describe(int device) {
  cudaDeviceProp p = {};
  RSR_RETURN_IF_ERROR(check(cudaGetDeviceProperties(&p, device), "cudaGetDeviceProperties"));
  return DeviceInfo{p.name, static_cast<int64_t>(p.totalGlobalMem), p.l2CacheSize,
                    p.multiProcessorCount, 10 * p.major + p.minor};
}

class NvidiaBackend : public Backend {
 public:
  const char* name() const noexcept override { return "cuda"; }

  Result<std::vector<DeviceInfo>> devices() const override {
    int count = 0;
    RSR_RETURN_IF_ERROR(check(cudaGetDeviceCount(&count), "device 'cuda'"));
    std::vector<DeviceInfo> devices;
    for (int device = 0; device < count; ++device) {
      RSR_ASSIGN_OR_RETURN(DeviceInfo info, describe(device));
      devices.push_back(std::move(info));
    }
    return devices;
  }

  const Operations& operations() const noexcept override {
    static constexpr Operations kOperations = {
#define CUDA_OPERATION(name, Params) nvidia::name,
#include "cuda/operations.inc"
    };
    return kOperations;
  }

  Result<void*> allocate(int device, size_t bytes) const override {
    const ChosenDevice chosen(device);
    RSR_RETURN_IF_ERROR(chosen.status());
    void* memory = nullptr;
    const cudaError_t code = cudaMalloc(&memory, bytes > 0 ? bytes : 1);
    if (code == cudaSuccess) return memory;
    cudaGetLastError();  // it is not to be found by whoever asks next
    return error(ErrorCode::limit_exceeded, "no memory on device cuda:", device, " for ", bytes,
                 " bytes: ", cudaGetErrorString(code));
  }
  void release(int device, void* memory) const noexcept override {
    const ChosenDevice chosen(device);
    if (chosen.status().ok()) cudaFree(memory);
  }
  Result<void*> allocate_pinned(int device, size_t bytes) const override {
    const ChosenDevice chosen(device);
    RSR_RETURN_IF_ERROR(chosen.status());
    void* memory = nullptr;
    RSR_RETURN_IF_ERROR(check(cudaMallocHost(&memory, bytes > 0 ? bytes : 1), "cudaMallocHost"));
    return memory;
  }
  void release_pinned(int, void* memory) const noexcept override { cudaFreeHost(memory); }

  Result<void*> create_stream(int device) const override {
    const ChosenDevice chosen(device);
    RSR_RETURN_IF_ERROR(chosen.status());
    cudaStream_t stream = nullptr;
    RSR_RETURN_IF_ERROR(check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking),
                              "cudaStreamCreateWithFlags"));
    return static_cast<void*>(stream);
  }
  void destroy_stream(int device, void* stream) const noexcept override {
    const ChosenDevice chosen(device);
    if (!chosen.status().ok()) return;
    cudaStreamSynchronize(stream_of(stream));
    cudaStreamDestroy(stream_of(stream));
  }

  Status copy(int device, void* stream, void* to, const void* from, size_t bytes,
              CopyKind kind) const override {
    constexpr cudaMemcpyKind kKinds[] = {cudaMemcpyHostToDevice, cudaMemcpyDeviceToHost,
                                         cudaMemcpyDeviceToDevice};
    const ChosenDevice chosen(device);
    RSR_RETURN_IF_ERROR(chosen.status());
    return check(cudaMemcpyAsync(to, from, bytes, kKinds[static_cast<int>(kind)], stream_of(stream)),
                 "cudaMemcpyAsync");
  }
  Status clear(int device, void* stream, void* memory, size_t bytes) const override {
    const ChosenDevice chosen(device);
    RSR_RETURN_IF_ERROR(chosen.status());
    return check(cudaMemsetAsync(memory, 0, bytes, stream_of(stream)), "cudaMemsetAsync");
  }
  Status wait(int device, void* stream) const override {
    const ChosenDevice chosen(device);
    RSR_RETURN_IF_ERROR(chosen.status());
    return check(cudaStreamSynchronize(stream_of(stream)), "work on the device");
  }

  Status begin_capture(int device, void* stream) const override {
    const ChosenDevice chosen(device);
    RSR_RETURN_IF_ERROR(chosen.status());
    return check(cudaStreamBeginCapture(stream_of(stream), cudaStreamCaptureModeThreadLocal),
                 "cudaStreamBeginCapture");
  }
  Result<void*> end_capture(int device, void* stream) const override {
    const ChosenDevice chosen(device);
    RSR_RETURN_IF_ERROR(chosen.status());
    cudaGraph_t graph = nullptr;
    RSR_RETURN_IF_ERROR(
        check(cudaStreamEndCapture(stream_of(stream), &graph), "cudaStreamEndCapture"));
    cudaGraphExec_t made = nullptr;
    const Status status = check(cudaGraphInstantiate(&made, graph, 0), "cudaGraphInstantiate");
    cudaGraphDestroy(graph);
    RSR_RETURN_IF_ERROR(status);
    return static_cast<void*>(made);
  }
  Status launch_graph(int device, void* stream, void* graph) const override {
    const ChosenDevice chosen(device);
    RSR_RETURN_IF_ERROR(chosen.status());
    return check(cudaGraphLaunch(static_cast<cudaGraphExec_t>(graph), stream_of(stream)),
                 "cudaGraphLaunch");
  }
  void destroy_graph(int device, void* graph) const noexcept override {
    const ChosenDevice chosen(device);
    if (chosen.status().ok()) {
      cudaGraphExecDestroy(static_cast<cudaGraphExec_t>(graph));
    }
  }

  Result<void*> record_event(int device, void* stream) const override {
    const ChosenDevice chosen(device);
    RSR_RETURN_IF_ERROR(chosen.status());
    cudaEvent_t event = nullptr;
    RSR_RETURN_IF_ERROR(check(cudaEventCreate(&event), "cudaEventCreate"));
    const Status status = check(cudaEventRecord(event, stream_of(stream)), "cudaEventRecord");
    if (!status.ok()) cudaEventDestroy(event);
    RSR_RETURN_IF_ERROR(status);
    return static_cast<void*>(event);
  }
  Result<float> milliseconds(int device, void* begin, void* end) const override {
    const ChosenDevice chosen(device);
    RSR_RETURN_IF_ERROR(chosen.status());
    float passed = 0;
    RSR_RETURN_IF_ERROR(check(cudaEventElapsedTime(&passed, static_cast<cudaEvent_t>(begin),
                                                   static_cast<cudaEvent_t>(end)),
                              "cudaEventElapsedTime"));
    return passed;
  }
  void destroy_event(int device, void* event) const noexcept override {
    const ChosenDevice chosen(device);
    if (chosen.status().ok()) cudaEventDestroy(static_cast<cudaEvent_t>(event));
  }
};

}  // namespace

Result<const Backend*> backend() {
  static const NvidiaBackend only;
  return static_cast<const Backend*>(&only);
}

}  // namespace rsr::cuda::nvidia
