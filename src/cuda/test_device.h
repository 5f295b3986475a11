// For tests: the devices that are here (the emulated one always, NVIDIA's where there are some),
// and arrays on them.
#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "cuda/device.h"
#include "cuda/emulated/backend.h"
#include "cuda/emulated/fibers.h"
#include "cuda/operations.h"

namespace rsr::cuda {

/// A device and, for the emulated one, the order in which the threads of a block run.
struct TestDevice {
  std::string name;
  emulated::Order order = emulated::Order::forwards;
};

inline void PrintTo(const TestDevice& device, std::ostream* out) {
  constexpr const char* kOrders[] = {"forwards", "backwards", "shuffled"};
  *out << device.name << " " << kOrders[static_cast<int>(device.order)];
}

/// A missing barrier shows as a difference between the orders.
inline std::vector<TestDevice> test_devices() {
  add_backend(&emulated::backend());
  std::vector<TestDevice> devices = {{"emulated", emulated::Order::forwards},
                                     {"emulated", emulated::Order::backwards},
                                     {"emulated", emulated::Order::shuffled}};
  if (Device::open("cuda").ok()) devices.push_back({"cuda"});
  return devices;
}

/// An array in device memory, exactly as long as its values.
template <class T>
class DeviceArray {
 public:
  DeviceArray(Stream& stream, std::vector<T> values)
      : stream_(&stream),
        size_(values.size()),
        memory_(upload<T>(stream, std::span<const T>(values)).value()) {}
  T* data() const { return memory_.as<T>(); }
  size_t size() const { return size_; }
  std::vector<T> read() const {
    std::vector<T> values(size_);
    EXPECT_TRUE(stream_->copy_to_host(values.data(), memory_.data(), size_ * sizeof(T)).ok());
    const Status status = stream_->wait();
    EXPECT_TRUE(status.ok()) << status.message();
    return values;
  }

 private:
  Stream* stream_;
  size_t size_;
  Memory memory_;
};

/// TEST_P(SomeTest, ...) with `using SomeTest = OnDevices;` and
/// INSTANTIATE_TEST_SUITE_P(Devices, SomeTest, testing::ValuesIn(test_devices()));
class OnDevices : public testing::TestWithParam<TestDevice> {
 protected:
  void SetUp() override { emulated::set_order(GetParam().order); }

  template <class T>
  DeviceArray<T> array(std::vector<T> values) {
    return DeviceArray<T>(stream, std::move(values));
  }
  /// One operation, done.
  template <class Params>
  void run(Status (*Operations::*operation)(int, void*, const Params&), const Params& params) {
    Status status = stream.run(operation, params);
    ASSERT_TRUE(status.ok()) << status.message();
    status = stream.wait();
    ASSERT_TRUE(status.ok()) << status.message();
  }

  Device device = Device::open(GetParam().name).value();
  Stream stream = Stream::create(device).value();
};

}  // namespace rsr::cuda
