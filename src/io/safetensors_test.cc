#include "io/safetensors.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "io/test_files.h"

namespace rsr::io {
namespace {

/// Status of opening a file with this header and so many data bytes.
Status open_status(const std::string& header, size_t data_bytes) {
  const TempDir dir;
  const std::string path = dir.write("t.safetensors", container(header, data_bytes));
  return SafetensorsFile::open(path).status();
}

constexpr const char* kTwoTensors = R"({"__metadata__":{"format":"pt"},)"
                                    R"("b":{"dtype":"F32","shape":[2,1],"data_offsets":[3,11]},)"
                                    R"("a":{"dtype":"U8","shape":[3],"data_offsets":[0,3]}})";

TEST(Safetensors, ReadsTensorsAtAnyAlignment) {
  const TempDir dir;
  // The odd header length and the three bytes before "b" leave it unaligned.
  const std::string path = dir.write("t.safetensors", container(kTwoTensors, 11));
  const auto file = SafetensorsFile::open(path);
  ASSERT_TRUE(file.ok()) << file.status().message();
  EXPECT_EQ(file->metadata().at("format"), "pt");
  ASSERT_EQ(file->tensors().size(), 2U);
  const Tensor& b = file->tensors().at("b");
  EXPECT_EQ(b.name, "b");
  EXPECT_EQ(b.dtype, DType::f32);
  EXPECT_EQ(b.shape, (std::vector<int64_t>{2, 1}));
  EXPECT_EQ(b.elements(), 2);
  EXPECT_EQ(b.describe(), "f32 [2, 1]");
  EXPECT_EQ(b.data.size(), 8U);
  EXPECT_EQ(std::to_integer<int>(b.data[0]), 3);
  EXPECT_EQ(to_floats(b)->size(), 2U);
}

TEST(Safetensors, AcceptsScalarsEmptyTensorsPaddingAndNoTensors) {
  EXPECT_TRUE(open_status("{}", 0).ok());
  EXPECT_TRUE(open_status("{}      ", 0).ok());
  EXPECT_TRUE(open_status(R"({"s":{"dtype":"F64","shape":[],"data_offsets":[0,8]}})", 8).ok());
  EXPECT_TRUE(open_status(R"({"e":{"dtype":"F32","shape":[0,4],"data_offsets":[0,0]},)"
                          R"("f":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},)"
                          R"("g":{"dtype":"I8","shape":[7,0],"data_offsets":[4,4]}})",
                          4)
                  .ok());
  EXPECT_TRUE(open_status(R"({"q":{"dtype":"F4","shape":[4],"data_offsets":[0,2]}})", 2).ok());
}

struct BadHeader {
  const char* header;
  size_t data_bytes;
  const char* message;
};

TEST(Safetensors, RefusesBadHeadersWithThePlaceAndTheReason) {
  const BadHeader cases[] = {
      {R"([])", 0, "does not begin with '{'"},
      {R"( {})", 0, "does not begin with '{'"},
      {R"({)", 0, "header"},
      {"{\"\xff\":1}", 0, "UTF-8"},
      {R"({"a":1})", 0, "must be an object, not number"},
      {R"({"a":{"shape":[],"data_offsets":[0,1]}})", 1, "\"dtype\" must be a string"},
      {R"({"a":{"dtype":"U9","shape":[],"data_offsets":[0,1]}})", 1, "unknown dtype \"U9\""},
      {R"({"a":{"dtype":"U8","shape":3,"data_offsets":[0,1]}})", 1, "\"shape\" must be an array"},
      {R"({"a":{"dtype":"U8","shape":[-1],"data_offsets":[0,1]}})", 1, "bad extent"},
      {R"({"a":{"dtype":"U8","shape":[1.0],"data_offsets":[0,1]}})", 1, "bad extent"},
      {R"({"a":{"dtype":"U8","shape":[9223372036854775808],"data_offsets":[0,1]}})", 1, "extent"},
      {R"({"a":{"dtype":"U8","shape":[1,1,1,1,1,1,1,1,1],"data_offsets":[0,1]}})", 1, "rank 9"},
      {R"({"a":{"dtype":"U8","shape":[4294967296,4294967296],"data_offsets":[0,1]}})", 1,
       "overflows"},
      {R"({"a":{"dtype":"F64","shape":[2305843009213693952],"data_offsets":[0,0]}})", 0,
       "overflows"},
      {R"({"a":{"dtype":"F4","shape":[3],"data_offsets":[0,1]}})", 1, "whole bytes"},
      {R"({"a":{"dtype":"U8","shape":[1]}})", 1, "\"data_offsets\" must be two"},
      {R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0]}})", 1, "must be two"},
      {R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[-1,0]}})", 1, "must be two"},
      {R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[1,0]}})", 1, "end before they begin"},
      {R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,1]}})", 1, "takes 2 bytes"},
      {R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}})", 2, "hole"},
      {R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},)"
       R"("b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}})",
       3, "overlap"},
      {R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}})", 1, "truncated"},
      {R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}})", 3, "1 bytes follow"},
      {R"({})", 1, "1 bytes follow"},
      {R"({"a":{},"a":{}})", 0, "given twice"},
      {R"({"__metadata__":[]})", 0, "__metadata__"},
      {R"({"__metadata__":{"a":1}})", 0, "must be a string"},
      {R"({"a":[[[[[[1]]]]]]})", 0, "nested deeper"},
  };
  for (const BadHeader& bad : cases) {
    const Status status = open_status(bad.header, bad.data_bytes);
    EXPECT_FALSE(status.ok()) << bad.header;
    EXPECT_TRUE(has_all(status.message(), {"t.safetensors", bad.message})) << bad.header << "\n"
                                                                           << status.message();
  }
}

TEST(Safetensors, RefusesBadLengths) {
  const TempDir dir;
  const auto status_of = [&](const std::string& bytes) {
    return SafetensorsFile::open(dir.write("x", bytes)).status().message();
  };
  EXPECT_TRUE(has_all(status_of(""), {"0 bytes"}));
  EXPECT_TRUE(has_all(status_of("1234567"), {"7 bytes"}));
  EXPECT_TRUE(has_all(status_of(length_bytes(3) + "{}"), {"header of 3 bytes", "truncated"}));
  EXPECT_TRUE(has_all(status_of(length_bytes(100'000'001)), {"at most 100000000"}));
  EXPECT_TRUE(has_all(status_of(length_bytes(UINT64_MAX)), {"at most"}));
  EXPECT_EQ(SafetensorsFile::open(dir.path() + "/none").status().code(), ErrorCode::not_found);
}

TEST(Safetensors, RefusesLongNames) {
  const std::string name(1025, 'n');
  const Status status =
      open_status("{\"" + name + R"(":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}})", 0);
  EXPECT_EQ(status.code(), ErrorCode::limit_exceeded);
}

TEST(Safetensors, EveryTruncationIsAnError) {
  const TempDir dir;
  const std::string whole = container(kTwoTensors, 11);
  for (size_t size = 0; size < whole.size(); ++size) {
    const auto file = SafetensorsFile::open(dir.write("t", whole.substr(0, size)));
    EXPECT_FALSE(file.ok()) << size;
    EXPECT_FALSE(file.status().message().empty());
  }
}

TEST(Safetensors, NoBitFlipOfTheHeaderBreaksTheReader) {
  const TempDir dir;
  const std::string whole = container(kTwoTensors, 11);
  const size_t header_end = whole.size() - 11;
  int accepted = 0;
  for (size_t bit = 0; bit < 8 * header_end; ++bit) {
    std::string flipped = whole;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << bit % 8));
    const auto file = SafetensorsFile::open(dir.write("t", flipped));
    if (!file.ok()) continue;
    // A flip may leave a valid file (another name, another type of the same size). Whatever is
    // accepted must be consistent: exactly the data, and readable.
    ++accepted;
    size_t bytes = 0;
    for (const auto& [name, tensor] : file->tensors()) {
      bytes += tensor.data.size();
      int sum = 0;
      for (const std::byte b : tensor.data) sum += std::to_integer<int>(b);
      EXPECT_GE(sum, 0);
    }
    EXPECT_EQ(bytes, 11U);
  }
  EXPECT_LT(accepted, static_cast<int>(8 * header_end) / 4);
}

template <class T>
Tensor tensor_of(DType dtype, const std::vector<T>& values) {
  return {"t", dtype, {static_cast<int64_t>(values.size())}, std::as_bytes(std::span(values))};
}

/// The value of a half by the definition of the format.
float half_by_definition(uint16_t bits) {
  const int exponent = (bits >> 10) & 31;
  const int mantissa = bits & 1023;
  const double sign = bits >> 15 != 0 ? -1.0 : 1.0;
  if (exponent == 31) {
    return static_cast<float>(mantissa != 0 ? std::numeric_limits<double>::quiet_NaN()
                                            : sign * std::numeric_limits<double>::infinity());
  }
  return static_cast<float>(exponent == 0 ? sign * std::ldexp(mantissa, -24)
                                          : sign * std::ldexp(1024 + mantissa, exponent - 25));
}

TEST(ToFloats, IsExactForEveryHalfAndBfloat) {
  std::vector<uint16_t> all(65536);
  for (size_t i = 0; i < all.size(); ++i) all[i] = static_cast<uint16_t>(i);
  const std::vector<float> halves = *to_floats(tensor_of(DType::f16, all));
  const std::vector<float> bfloats = *to_floats(tensor_of(DType::bf16, all));
  for (size_t i = 0; i < all.size(); ++i) {
    const float expected = half_by_definition(all[i]);
    if (std::isnan(expected)) {
      EXPECT_TRUE(std::isnan(halves[i])) << i;
    } else {
      EXPECT_EQ(std::bit_cast<uint32_t>(halves[i]), std::bit_cast<uint32_t>(expected)) << i;
    }
    EXPECT_EQ(std::bit_cast<uint32_t>(bfloats[i]), static_cast<uint32_t>(i) << 16);
  }
}

TEST(ToFloats, CopiesFloatsAndRefusesOtherTypes) {
  const std::vector<float> values{1.5F, -0.0F, 1e-40F};
  const std::vector<float> copied = *to_floats(tensor_of(DType::f32, values));
  EXPECT_EQ(std::memcmp(copied.data(), values.data(), sizeof(float) * values.size()), 0);
  EXPECT_TRUE(to_floats(tensor_of(DType::f32, std::vector<float>{}))->empty());
  const Status status = to_floats(tensor_of(DType::i8, std::vector<int8_t>{1})).status();
  EXPECT_EQ(status.code(), ErrorCode::unsupported);
  EXPECT_TRUE(has_all(status.message(), {"\"t\"", "i8 [1]"}));
}

TEST(Safetensors, CountsNoElementsWhenAnExtentIsZero) {
  // The first two extents alone would overflow.
  const auto tensors = parse_safetensors_header(
      R"({"a":{"dtype":"F4","shape":[9223372036854775807,2,0],"data_offsets":[0,0]}})", {},
      nullptr);
  ASSERT_TRUE(tensors.ok()) << tensors.status().message();
  EXPECT_EQ(tensors->at("a").elements(), 0);
}

}  // namespace
}  // namespace rsr::io
