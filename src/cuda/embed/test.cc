// Rows of tables as floats.
#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

#include "base/float16.h"
#include "cuda/test_device.h"

namespace rsr::cuda {
namespace {

using CudaEmbed = OnDevices;

TEST_P(CudaEmbed, WidensEveryBitPattern) {
  for (const bool is_f16 : {false, true}) {
    constexpr int kCols = 257;
    constexpr int kVocab = 256;  // all 65,536 patterns
    std::vector<uint16_t> table(kVocab * kCols);
    for (size_t i = 0; i < table.size(); ++i) table[i] = static_cast<uint16_t>(i);
    std::vector<int32_t> tokens = {255, 0, 17, 17, 254};
    for (int32_t row = 0; row < kVocab; row += 8) tokens.push_back(row);
    const auto table_device = array(table);
    const auto tokens_device = array(tokens);
    const auto batch = static_cast<int32_t>(tokens.size());
    const auto y = array(std::vector<float>(tokens.size() * kCols, -7));
    run(&Operations::embed,
        Embed{table_device.data(), is_f16, tokens_device.data(), kCols, batch, y.data()});
    const auto got = y.read();
    for (size_t i = 0; i < got.size(); ++i) {
      const uint16_t bits = table[tokens[i / kCols] * kCols + i % kCols];
      const float want = is_f16 ? base::from_f16(bits) : base::from_bf16(bits);
      if (std::isnan(want)) {
        ASSERT_TRUE(std::isnan(got[i])) << i;
      } else {
        ASSERT_EQ(std::memcmp(&got[i], &want, sizeof want), 0) << i;
      }
    }
  }
}

TEST_P(CudaEmbed, RowsOfAnyLength) {
  for (const int cols : {1, 15, 256, 600}) {
    std::vector<uint16_t> table(3 * cols);
    for (size_t i = 0; i < table.size(); ++i) table[i] = static_cast<uint16_t>(0x3F80 + i);
    const auto table_device = array(table);
    const auto tokens = array(std::vector<int32_t>{2});
    const auto y = array(std::vector<float>(cols, -7));
    run(&Operations::embed, Embed{table_device.data(), false, tokens.data(), cols, 1, y.data()});
    const auto got = y.read();
    for (int c = 0; c < cols; ++c) ASSERT_EQ(got[c], base::from_bf16(table[2 * cols + c]));
  }
}

INSTANTIATE_TEST_SUITE_P(Devices, CudaEmbed, testing::ValuesIn(test_devices()));

}  // namespace
}  // namespace rsr::cuda
