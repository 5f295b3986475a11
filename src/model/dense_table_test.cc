#include "model/dense_table.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <vector>

#include "base/float16.h"

namespace rsr::model {
namespace {

using linear::Float16;

io::Tensor tensor_of(const std::vector<float>& values, int64_t cols) {
  const auto bytes = std::as_bytes(std::span(values));
  return {"t", io::DType::f32, {static_cast<int64_t>(values.size()) / cols, cols}, bytes};
}

TEST(DenseTable, EveryHalfIsItsOwnExactForm) {
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    const float value = base::from_f16(static_cast<uint16_t>(bits));
    const auto half = exact_f16(value);
    ASSERT_TRUE(half.has_value()) << bits;
    if (std::isnan(value)) {
      EXPECT_TRUE(std::isnan(base::from_f16(*half)));
    } else {
      EXPECT_EQ(*half, bits);
    }
  }
}

TEST(DenseTable, NumbersBetweenHalvesHaveNoExactForm) {
  for (const float value : {1.0f + 0x1p-11f, 65505.0f, 65536.0f, 0x1p-25f, 0x1.002p-14f, 1e30f,
                            3 * 0x1p-25f, -0x1.8p-26f}) {
    EXPECT_FALSE(exact_f16(value).has_value()) << value;
  }
  EXPECT_EQ(exact_f16(-65504.0f), 0xfbff);
}

TEST(DenseTable, SixteenBitsStayInPlace) {
  const std::vector<uint16_t> bits = {0x3f80, 0xc000, 0x0001, 0x3c00};
  const auto bytes = std::as_bytes(std::span(bits));
  const DenseTable bf16 = make_dense({"t", io::DType::bf16, {2, 2}, bytes}).value();
  EXPECT_EQ(bf16.view.weight, bits.data());
  EXPECT_EQ(bf16.bytes(), 8);
  float row[2];
  bf16.read_row(0, row);
  EXPECT_EQ(row[0], 1.0f);
  EXPECT_EQ(row[1], -2.0f);
  bf16.read_row(1, row);
  EXPECT_GT(row[0], 0.0f);  // a denormal is kept
  const DenseTable f16 = make_dense({"t", io::DType::f16, {2, 2}, bytes}).value();
  f16.read_row(1, row);
  EXPECT_EQ(row[0], 0x1p-24f);
  EXPECT_EQ(row[1], 1.0f);
}

TEST(DenseTable, CopiesFromAnOddAddress) {
  alignas(2) std::byte bytes[5] = {};
  const uint16_t one = 0x3c00;
  std::memcpy(bytes + 3, &one, 2);
  const DenseTable table =
      make_dense({"t", io::DType::f16, {1, 2}, std::span(bytes).subspan(1)}).value();
  float row[2];
  table.read_row(0, row);
  EXPECT_EQ(row[1], 1.0f);
}

TEST(DenseTable, FloatsBecomeTheSixteenBitsThatHoldThem) {
  const std::vector<float> wide = {1e30f, 0x1p-100f, 0.0f, -3.0f};  // beyond f16
  std::vector<float> bf16_values;
  for (const float value : wide) {
    bf16_values.push_back(std::bit_cast<float>(std::bit_cast<uint32_t>(value) & 0xffff0000U));
  }
  const std::vector<float> half_values = {1.0f + 0x1p-10f, 0x1p-24f, -0.0f, 65504.0f};
  for (const auto& [values, format] :
       {std::pair(bf16_values, Float16::bf16), std::pair(half_values, Float16::f16)}) {
    const DenseTable table = make_dense(tensor_of(values, 2)).value();
    EXPECT_EQ(table.view.format, format);
    std::vector<float> read(4);
    table.read_row(0, read.data());
    table.read_row(1, read.data() + 2);
    EXPECT_EQ(read, values);
  }
}

TEST(DenseTable, RefusesByName) {
  const std::vector<float> values = {1.0f, 1.0f + 0x1p-20f};
  const Status status = make_dense(tensor_of(values, 2)).status();
  EXPECT_EQ(status.code(), ErrorCode::unsupported);
  EXPECT_TRUE(status.message().starts_with("t: is f32 [1, 2]")) << status.message();
  io::Tensor integers = tensor_of(values, 2);
  integers.dtype = io::DType::i32;
  EXPECT_EQ(make_dense(integers).status().code(), ErrorCode::unsupported);
}

TEST(DenseTable, FindsTheFirstRowThatIsNotFinite) {
  std::vector<uint16_t> bits(12, 0x3c00);
  bits[7] = 0x7c00;
  linear::Dense table = {bits.data(), 4, 3, Float16::f16};
  EXPECT_EQ(first_row_not_finite(table, {0, 4}), 2);
  EXPECT_EQ(first_row_not_finite(table, {3, 4}), -1);
  table.format = Float16::bf16;  // there, 0x7c00 is a large number
  EXPECT_EQ(first_row_not_finite(table, {0, 4}), -1);
  bits[11] = 0xff81;
  EXPECT_EQ(first_row_not_finite(table, {0, 4}), 3);
}

}  // namespace
}  // namespace rsr::model
