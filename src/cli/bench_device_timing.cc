#include "cli/bench_device_timing.h"

#include <algorithm>
#include <string>

#include "base/check.h"
#include "cli/timing.h"

namespace rsr::cli {
namespace {

constexpr int64_t kColdBytes = int64_t{256} << 20;

/// Seconds of the second of two equal works. While the device is at the first one, the host asks
/// for the second and for both marks around it, so that the device never waits for the host.
template <class Work>
Result<double> time_second(cuda::Stream& stream, const Work& work) {
  RSR_RETURN_IF_ERROR(work());
  RSR_ASSIGN_OR_RETURN(const float milliseconds, stream.time(work));
  return static_cast<double>(milliseconds) * 1e-3;
}

/// Seconds of one launch, again and again.
Result<Timings> time_graph(cuda::Stream& stream, const cuda::Graph& graph, int repeats,
                           CopyBandwidth& copy) {
  Timings timings;
  for (int i = 0; i < repeats; ++i) {
    if (i % kTogether == 0) RSR_RETURN_IF_ERROR(copy.sample(stream));
    RSR_ASSIGN_OR_RETURN(const double seconds,
                         time_second(stream, [&] { return stream.launch(graph); }));
    timings.seconds.push_back(seconds);
  }
  std::sort(timings.seconds.begin(), timings.seconds.end());
  return timings;
}

}  // namespace

Result<CopyBandwidth> CopyBandwidth::create(cuda::Stream& stream, int64_t bytes) {
  CopyBandwidth made;
  const auto size = static_cast<size_t>(bytes);
  RSR_ASSIGN_OR_RETURN(made.from_, cuda::Memory::create(stream.device(), size));
  RSR_ASSIGN_OR_RETURN(made.to_, cuda::Memory::create(stream.device(), size));
  RSR_RETURN_IF_ERROR(stream.clear(made.from_.data(), size));
  RSR_RETURN_IF_ERROR(stream.wait());
  return made;
}

Status CopyBandwidth::sample(cuda::Stream& stream) {
  RSR_ASSIGN_OR_RETURN(const double seconds, time_second(stream, [&] {
                         return stream.copy_on_device(to_.data(), from_.data(), from_.bytes());
                       }));
  seconds_.push_back(seconds);
  return {};
}

double CopyBandwidth::bytes_per_second() const {
  const double seconds = median_of(seconds_);
  return seconds > 0 ? 2.0 * static_cast<double>(from_.bytes()) / seconds : 0;
}

size_t cold_copies(const cuda::Device& device, int64_t bytes, int64_t cold_bytes) {
  const int64_t most = std::max(kColdBytes, 2 * device.info().l2_bytes);
  const int64_t wanted = cold_bytes > 0 ? cold_bytes : most;
  return static_cast<size_t>(std::max<int64_t>(2, (wanted + bytes - 1) / bytes));
}

Status time_products(cuda::Stream& stream, const ProductsInTurn& what, CopyBandwidth& copy,
                     BenchRecord* record) {
  const size_t copies = what.copies;
  const size_t products = (std::max(what.products, copies) + copies - 1) / copies * copies;
  RSR_ASSIGN_OR_RETURN(const cuda::Graph graph, stream.capture([&]() -> Status {
    for (size_t i = 0; i < products; ++i) RSR_RETURN_IF_ERROR(what.ask(i % copies));
    return {};
  }));
  copy.restart();
  RSR_ASSIGN_OR_RETURN(const Timings timings, time_graph(stream, graph, record->repeats, copy));
  const double ns = 1e9 / static_cast<double>(products);  // of a product, for each second
  record->cold = copies > 1;
  record->median_ns = timings.median() * ns;
  record->min_ns = timings.least() * ns;
  record->max_ns = timings.most() * ns;
  record->copy_bytes_per_second = copy.bytes_per_second();
  record->graph = static_cast<int>(products);
  record->threads = 0;
  record->isa = "sm_" + std::to_string(stream.device().info().compute_capability);
  record->device = stream.device().describe();
  return {};
}

}  // namespace rsr::cli
