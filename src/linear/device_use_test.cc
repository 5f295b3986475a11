// How products on a device are asked for: streams, graphs, threads, and what is refused.
#include <functional>
#include <thread>

#include "linear/device_problem.h"

namespace rsr {
namespace {

using DeviceUse = DeviceProducts;

TEST_P(DeviceUse, CallersStreamAndMemory) {
  const Weight weight = make({});
  const auto given = array(floats(5 * 133));
  const auto bytes = static_cast<size_t>(DeviceContext::scratch_bytes(5, 133));
  const auto scratch = array(std::vector<std::byte>(bytes));
  const DeviceContextOptions options = {.stream = nullptr, .scratch = span_of(scratch)};
  const DeviceContext other = context.with(options).value();
  EXPECT_EQ(other.describe(), context.describe());
  const DeviceWeight there = to_device(other, weight).value();
  const auto y = results<float>(there, 5 * 133);
  const DeviceProduct product{&there, span_of(y)};
  expect_ok(multiply_quantised(other, {&product, 1}, all_of(given)));
  expect_ok(other.wait());
  EXPECT_TRUE(same_bits(y.read(), on_host(weight, given.read())));

  const auto message = [&](std::span<std::byte> memory) {
    const DeviceContext with = context.with({.stream = nullptr, .scratch = memory}).value();
    return multiply_quantised(with, {&product, 1}, all_of(given)).message();
  };
  const std::string needed = std::to_string(bytes);
  EXPECT_EQ(message(span_of(scratch).first(bytes - 1)),
            "scratch: " + std::to_string(bytes - 1) + " bytes given, " + needed + " needed");
  const auto longer = array(std::vector<std::byte>(bytes + 8));
  EXPECT_EQ(message(span_of(longer).subspan(8)),
            "scratch: it begins 8 bytes behind a boundary of 16");
}

TEST_P(DeviceUse, AreCapturedInGraphs) {
  const Weight weight = make({});
  const DeviceWeight there = to_device(context, weight).value();
  const std::vector<float> first = floats(133, 1);
  const std::vector<float> second = floats(133, 2);
  const auto x = array(first);
  const auto y = results<float>(there, 133);
  void* handle = device.backend().create_stream(device.index()).value();
  {
    cuda::Stream captured = cuda::Stream::borrow(device, handle);
    const DeviceContext caller = context.with({.stream = handle, .scratch = {}}).value();
    const DeviceProduct product{&there, span_of(y)};
    const auto ask = [&] { return multiply_quantised(caller, {&product, 1}, all_of(x)); };
    expect_ok(ask());  // makes scratch memory grow
    const cuda::Graph graph = captured.capture(ask).value();
    for (const std::vector<float>& values : {second, first}) {
      expect_ok(captured.copy_to_device(x.data(), values.data(), values.size() * sizeof(float)));
      expect_ok(captured.launch(graph));
      expect_ok(captured.wait());
      EXPECT_TRUE(same_bits(y.read(), on_host(weight, values)));
    }
  }
  device.backend().destroy_stream(device.index(), handle);
}

TEST_P(DeviceUse, ThreadsShareAContext) {
  const Weight weight = make({});
  const DeviceWeight there = to_device(context, weight).value();
  std::vector<std::vector<float>> x;
  std::vector<cuda::DeviceArray<float>> given;
  std::vector<cuda::DeviceArray<float>> y;
  for (unsigned i = 0; i < 3; ++i) {
    x.push_back(floats((i + 1) * 133, i));
    given.push_back(array(x.back()));
    y.push_back(results<float>(there, (i + 1) * 133));
  }
  std::vector<std::thread> threads;
  for (size_t i = 0; i < x.size(); ++i) {
    threads.emplace_back([&, i] {
      const DeviceProduct product{&there, span_of(y[i])};
      for (int turn = 0; turn < 3; ++turn) {
        expect_ok(multiply_quantised(context, {&product, 1}, all_of(given[i])));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  expect_ok(context.wait());
  for (size_t i = 0; i < x.size(); ++i) {
    EXPECT_TRUE(same_bits(y[i].read(), on_host(weight, x[i])));
  }
}

TEST_P(DeviceUse, NameWhatIsWrong) {
  const Weight weight = make({.rows = 4});
  const DeviceWeight there = to_device(context, weight).value();
  const DeviceWeight narrow = to_device(context, make({.rows = 3, .cols = 4})).value();
  const auto x = array(floats(133));
  const auto xi = array(integers(133));
  const auto y = array(std::vector<float>(4));
  const auto three = array(std::vector<float>(3));
  const auto message = [&](const std::vector<DeviceProduct>& products, int64_t count) {
    return multiply_quantised(context, products, DeviceFloats{x.data(), count}).message();
  };
  EXPECT_EQ(message({}, 133), "products: there are none");
  EXPECT_EQ(message({{&there, span_of(y)}, {nullptr, span_of(y)}}, 133), "products[1]: no weight");
  EXPECT_EQ(message({{&there, span_of(y)}, {&narrow, span_of(three)}}, 133),
            "products[1]: 4 columns, the first weight has 133");
  EXPECT_EQ(message({{&there, span_of(three)}}, 133),
            "products[0]: y: 3 elements; a batch of 1 and 4 rows need exactly 4");
  EXPECT_EQ(message({{&there, span_of(y)}}, 132),
            "products[0]: x: 132 elements are not a positive multiple of the matrix's 133 columns");
  EXPECT_FALSE(message({{&there, span_of(y)}}, 0).empty());
  EXPECT_FALSE(message({{&there, span_of(y)}}, -133).empty());
  EXPECT_EQ(multiply(context, there, all_of(x), span_of(three)).message(),
            "y: 3 elements; a batch of 1 and 4 rows need exactly 4");
  const DeviceWeight compact = to_device(context, weight, {.compact = true}).value();
  EXPECT_EQ(multiply(context, compact, all_of(x), span_of(y)).message(),
            "weight: a compact one has products of int8 and quantised vectors only");
  const DeviceWeight grouped = to_device(context, make({.scales = 'g', .rows = 4})).value();
  std::vector<int32_t> sums(4);
  const auto yi = array(sums);
  EXPECT_EQ(multiply(context, grouped, span_of(xi), span_of(yi)).message(),
            "weight: it has group scales, which an integer product cannot carry");
}

TEST_P(DeviceUse, WeightsWithoutKernelsAreRefused) {
  const auto message = [&](const Weight& weight, bool compact) {
    return to_device(context, weight, {.compact = compact}).status().message();
  };
  EXPECT_EQ(message(make({.scales = 'g', .group_size = 20}), false),
            "weight: groups of 20 columns; devices have kernels for multiples of 16");
  EXPECT_EQ(message(make({'b', 'g', 4, 133, Inputs::int8, "", 48}), false),
            "weight: groups of 48 columns; devices have kernels for multiples of 32");
  EXPECT_EQ(message(make({.scales = 'g'}), true),
            "weight: it has group scales, groups of 32 columns, which compact weights cannot have");
  const std::vector<int8_t> values(12, 1);
  const Weight rsr = prepare(ternary(values, 3, 4), {.algorithm = Algorithm::rsr}).value();
  EXPECT_EQ(message(rsr, false),
            "weight: " + rsr.describe() +
                "; devices have no kernel for it, prepare it with multiply_add");
}

TEST_P(DeviceUse, ADevicesWeightsAreItsOwn) {
  const Result<DeviceContext> second = DeviceContext::create(GetParam().name + ":1");
  if (!second.ok()) GTEST_SKIP() << second.status().message();
  const DeviceWeight there = to_device(*second, make({.rows = 4})).value();
  const auto x = array(floats(133));
  const auto y = array(std::vector<float>(4));
  const std::string message = multiply(context, there, all_of(x), span_of(y)).message();
  EXPECT_EQ(message,
            "weight: it is on " + second->describe() + ", the context on " + context.describe());
}

INSTANTIATE_TEST_SUITE_P(Devices, DeviceUse, testing::ValuesIn(cuda::test_devices()));

TEST(DeviceContext, NamesTheDeviceThatIsNotThere) {
  EXPECT_EQ(DeviceContext::create("tpu").status().message(),
            "device 'tpu' is unknown; known: cpu, cuda");
  EXPECT_FALSE(DeviceContext::create("cuda:9999").ok());
}

}  // namespace
}  // namespace rsr
