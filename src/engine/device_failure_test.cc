// What an error of the device leaves behind: a session that goes on as if nothing had been asked.
#include "base/check.h"
#include "cuda/operations.h"
#include "cuda/test_device.h"
#include "engine/tiny_engine.h"

namespace rsr {
namespace {

/// Counts down; the launch that finds 0 is refused.
int launches_left = -1;

template <class Params, cuda::Operation<Params> cuda::Operations::*operation>
Status counted(int device, void* stream, const Params& params) {
  if (launches_left-- == 0) return base::error(ErrorCode::limit_exceeded, "the test's error");
  return (cuda::emulated::backend().operations().*operation)(device, stream, params);
}

/// The emulated device, under another name, with such launches.
class Failing : public cuda::Backend {
 public:
  Failing() {
#define CUDA_OPERATION(name, Params) \
  operations_.name = counted<cuda::Params, &cuda::Operations::name>;
#include "cuda/operations.inc"
  }
  const char* name() const noexcept override {
    return "failing";
  }
  Result<std::vector<cuda::DeviceInfo>> devices() const override {
    return real_.devices();
  }
  const cuda::Operations& operations() const noexcept override {
    return operations_;
  }
  Result<void*> allocate(int device, size_t bytes) const override {
    return real_.allocate(device, bytes);
  }
  void release(int device, void* memory) const noexcept override {
    real_.release(device, memory);
  }
  Result<void*> allocate_pinned(int device, size_t bytes) const override {
    return real_.allocate_pinned(device, bytes);
  }
  void release_pinned(int device, void* memory) const noexcept override {
    real_.release_pinned(device, memory);
  }
  Result<void*> create_stream(int device) const override {
    return real_.create_stream(device);
  }
  void destroy_stream(int device, void* stream) const noexcept override {
    real_.destroy_stream(device, stream);
  }
  Status copy(int device, void* stream, void* to, const void* from, size_t bytes,
              cuda::CopyKind kind) const override {
    return real_.copy(device, stream, to, from, bytes, kind);
  }
  Status clear(int device, void* stream, void* memory, size_t bytes) const override {
    return real_.clear(device, stream, memory, bytes);
  }
  Status wait(int device, void* stream) const override {
    return real_.wait(device, stream);
  }
  Status begin_capture(int device, void* stream) const override {
    return real_.begin_capture(device, stream);
  }
  Result<void*> end_capture(int device, void* stream) const override {
    return real_.end_capture(device, stream);
  }
  Status launch_graph(int device, void* stream, void* graph) const override {
    return real_.launch_graph(device, stream, graph);
  }
  void destroy_graph(int device, void* graph) const noexcept override {
    real_.destroy_graph(device, graph);
  }
  Result<void*> record_event(int device, void* stream) const override {
    return real_.record_event(device, stream);
  }
  Result<float> milliseconds(int device, void* begin, void* end) const override {
    return real_.milliseconds(device, begin, end);
  }
  void destroy_event(int device, void* event) const noexcept override {
    real_.destroy_event(device, event);
  }

 private:
  const cuda::Backend& real_ = cuda::emulated::backend();
  cuda::Operations operations_;
};

class DeviceFailure : public TinyEngine {
 protected:
  DeviceFailure() {
    static const Failing failing;
    cuda::add_backend(&failing);
  }
  Engine open_on(const std::string& device) {
    EngineOptions options;
    options.context.threads = 1;
    options.device = device;
    return open(options);
  }
};

/// Every launch of an answer is refused once: of the prompt's pass, of the first token's, which has
/// no graph, and of the second one's, which is captured.
TEST_F(DeviceFailure, AnswersAfterAnErrorAreThoseOfTheCpu) {
  const Engine cpu = open_on("cpu");
  const Engine device = open_on("failing");
  const GenerateOptions options{
      .max_tokens = 4, .temperature = 1e30f, .top_k = 0, .top_p = 0.3f, .ignore_eos = true};
  Session right = cpu.session();
  const std::string want = answer(right, "one, two", options);
  int refused = 0;
  for (bool failed = true; failed; ++refused) {
    Session session = device.session();
    launches_left = refused;
    const auto stats = session.generate("one, two", options, nullptr);
    failed = !stats.ok();
    launches_left = -1;
    if (!failed) break;
    EXPECT_NE(stats.status().message().find("the test's error"), std::string::npos);
    EXPECT_TRUE(session.tokens().empty());
    ASSERT_EQ(answer(session, "one, two", options), want) << refused;
    ASSERT_EQ(session.tokens(), right.tokens()) << refused;
  }
  EXPECT_GT(refused, 3 * 18);  // launches of three passes, at least
}

}  // namespace
}  // namespace rsr
