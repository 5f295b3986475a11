// Products as `rsr bench matvec --device` measures them, on the emulated device: the command itself
// knows GPUs only.
#include "cli/bench_device.h"

#include <gtest/gtest.h>

#include <map>

#include "cli/bench_device_output.h"
#include "cli/bench_lists.h"
#include "cuda/test_device.h"

namespace rsr::cli {
namespace {

constexpr DeviceBenchSizes kSmall = {.copy_bytes = 4096, .products = 3};

MatvecLists small_lists() {
  MatvecLists lists;
  lists.one = {.device = "emulated", .rows = 33, .cols = 100, .repeats = 2, .cold_bytes = 2000};
  return lists;
}

std::vector<BenchRecord> measure(const MatvecLists& lists) {
  cuda::add_backend(&cuda::emulated::backend());
  auto bench = DeviceMatvecBench::create(cuda::Device::open("emulated").value(), kSmall).value();
  std::vector<BenchRecord> records;
  for (const MatvecBenchOptions& options : expand(lists).value()) {
    const auto measured = bench.measure(options);
    EXPECT_TRUE(measured.ok()) << measured.status().message();
    if (measured.ok()) records.insert(records.end(), measured->begin(), measured->end());
  }
  return records;
}

TEST(DeviceBench, ARecordSaysWhatWasMeasured) {
  const auto records = measure(small_lists());
  ASSERT_EQ(records.size(), 2u);
  const BenchRecord& cold = records.front();
  EXPECT_TRUE(cold.cold);
  EXPECT_FALSE(records.back().cold);
  EXPECT_EQ(cold.kernel, "multiply_t2");
  EXPECT_EQ(cold.format.substr(0, 3), "t2,");
  EXPECT_EQ(cold.isa, "sm_90");
  EXPECT_EQ(cold.device, "emulated:0, emulated on the host");
  EXPECT_EQ(cold.bytes, 3 * 7 * 64);  // tiles of 16 rows, lines of 16 columns
  EXPECT_EQ(cold.graph, 4);           // two copies make 2,000 bytes, in whole rounds
  EXPECT_EQ(records.back().graph, 3);
  EXPECT_EQ(cold.checked, 33);
  EXPECT_TRUE(cold.exact);
  EXPECT_EQ(cold.threads, 0);
  EXPECT_GT(cold.copy_bytes_per_second, 0);
  EXPECT_GT(cold.median_ns, 0);
  EXPECT_LE(cold.min_ns, cold.median_ns);
  EXPECT_DOUBLE_EQ(share(cold), gb_per_second(cold) * 1e9 / cold.copy_bytes_per_second);
  EXPECT_DOUBLE_EQ(floor_ns(cold), 3000 + static_cast<double>(cold.bytes) /
                                              (0.85 * cold.copy_bytes_per_second) * 1e9);
}

TEST(DeviceBench, TableAndJsonNameTheDevice) {
  const BenchRecord record = measure(small_lists()).front();
  const std::string header = device_table_header(record);
  EXPECT_EQ(header.substr(0, 39), "emulated:0, emulated on the host, sm_90");
  const std::string line = device_table_line(record);
  EXPECT_NE(line.find("33 x 100 ternary int8"), std::string::npos) << line;
  EXPECT_NE(line.find("multiply_t2: t2, "), std::string::npos) << line;
  const auto json = to_json(record);
  EXPECT_EQ(json["device"], record.device);
  EXPECT_EQ(json["graph"], record.graph);
  EXPECT_DOUBLE_EQ(json["copy_gb_per_s"].get<double>(), record.copy_bytes_per_second / 1e9);
  EXPECT_DOUBLE_EQ(json["share"].get<double>(), share(record));
  EXPECT_TRUE(json["r4_gb_per_s"].is_null());
}

TEST(DeviceBench, EveryWayIsCheckedAndTimed) {
  MatvecLists lists = small_lists();
  lists.bits = {"ternary", "binary"};
  lists.activations = {"int8", "quantised", "fp32"};
  lists.kernels = {"automatic", "t5", "rsr:3"};
  lists.batches = {1, 3};
  lists.caches = {"cold"};
  std::map<std::string, int> found;
  for (const BenchRecord& r : measure(lists)) {
    ++found[r.kernel + " " + r.activation];
    EXPECT_GT(r.median_ns, 0) << r.kernel;
    EXPECT_EQ(r.rival, r.kernel == "groups" ? "rsr-paper" : "");
    EXPECT_EQ(r.k, r.kernel == "groups" ? 3 : 0);
  }
  const std::map<std::string, int> wanted = {
      {"multiply_t2 int8", 2}, {"multiply_t2 quantised", 2}, {"floats_t2 fp32", 2},
      {"multiply_b1 int8", 2}, {"multiply_b1 quantised", 2}, {"floats_b1 fp32", 2},
      {"multiply_t5 int8", 2}, {"multiply_t5 quantised", 2}, {"groups int8", 4}};
  EXPECT_EQ(found, wanted);
}

TEST(DeviceBench, RsrGetsTheFastestK) {
  MatvecLists lists = small_lists();
  lists.kernels = {"rsr"};
  lists.caches = {"warm"};
  const auto records = measure(lists);
  ASSERT_EQ(records.size(), 1u);
  EXPECT_GE(records.front().k, 1);
  EXPECT_NE(records.front().format.find("column groups of "), std::string::npos);
}

TEST(DeviceBench, WhatDevicesDoNotHaveIsRefused) {
  MatvecLists lists = small_lists();
  for (const char* kernel : {"multiply-add", "rsr:fold", "rsr:17", "rsr:", "t5:3", "rsr-stream"}) {
    lists.kernels = {kernel};
    EXPECT_FALSE(expand(lists).ok()) << kernel;
  }
  lists.kernels = {"rsr"};
  lists.activations = {"fp32"};
  EXPECT_FALSE(expand(lists).ok());
}

}  // namespace
}  // namespace rsr::cli
