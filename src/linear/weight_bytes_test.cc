// Weights as bytes: round trips of every format, damage of every kind, instruction sets.
#include <gtest/gtest.h>

#include <bit>
#include <chrono>
#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <random>

#include "base/cpu.h"
#include "linear/linear.h"
#include "linear/weight.h"
#include "linear/weight_header.h"

namespace rsr {
namespace {

using linear::WeightHeader;
using matrix::Format;

std::vector<int8_t> ternary_values(int64_t count, int low = -1) {
  std::mt19937 random(7);
  std::vector<int8_t> values(static_cast<size_t>(count));
  for (int8_t& v : values) {
    v = static_cast<int8_t>(low + static_cast<int>(random() % static_cast<unsigned>(2 - low)));
  }
  return values;
}

/// A weight in a given format, whatever this machine would choose.
Weight packed_in(Format format, Inputs inputs, int64_t rows, int64_t cols) {
  const std::vector<int8_t> w = ternary_values(rows * cols);
  const Weight weight =
      prepare(ternary(w, rows, cols), {.scale = 0.5f, .inputs = inputs, .isa = "reference"})
          .value();
  auto impl = std::make_shared<Weight::Impl>(weight.impl());
  impl->packed = std::get<matrix::Packed>(impl->packed).repacked(format);
  return Weight(std::move(impl));
}

std::vector<float> product(const Weight& weight, const char* isa = "reference") {
  const Context context = Context::create({.threads = 1, .isa = isa}).value();
  std::vector<float> x(static_cast<size_t>(2 * weight.cols()));
  for (size_t i = 0; i < x.size(); ++i) x[i] = 0.01f * static_cast<float>(i % 37) - 0.2f;
  std::vector<float> y(static_cast<size_t>(2 * weight.rows()));
  const Product one{&weight, y};
  EXPECT_TRUE(multiply_quantised(context, {&one, 1}, x).ok());
  return y;
}

/// All formats, alphabets and kinds of scales.
std::vector<Weight> many_weights() {
  constexpr int64_t kRows = 37;
  constexpr int64_t kCols = 130;
  const std::vector<int8_t> t = ternary_values(kRows * kCols);
  const std::vector<int8_t> b = ternary_values(kRows * kCols, 0);
  std::vector<int8_t> s = b;
  for (int8_t& v : s) v = v > 0 ? 1 : -1;
  std::vector<float> row_scales(kRows, 0.25f);
  row_scales[3] = -2.0f;
  const std::vector<float> group_scales(kRows * 3, 1.5f);
  std::vector<Weight> all;
  for (const Format format : {Format::t5, Format::t2, Format::t3}) {
    all.push_back(packed_in(format, Inputs::any, kRows, kCols));
  }
  for (const Algorithm algorithm : {Algorithm::multiply_add, Algorithm::rsr}) {
    for (const MatrixView& view :
         {ternary(t, kRows, kCols), binary(b, kRows, kCols), signs(s, kRows, kCols)}) {
      for (const PrepareOptions& options :
           {PrepareOptions{.scale = 3}, PrepareOptions{.row_scales = row_scales},
            PrepareOptions{
                .row_scales = row_scales, .group_scales = group_scales, .group_size = 64}}) {
        PrepareOptions o = options;
        o.algorithm = algorithm;
        o.inputs = Inputs::int8;
        o.residency = Residency::cache;
        o.form = RsrForm::gray;
        all.push_back(prepare(view, o).value());
      }
    }
  }
  return all;
}

TEST(WeightBytes, EveryKindComesBackAsItWas) {
  for (const Weight& weight : many_weights()) {
    const std::vector<uint8_t> image = weight_to_bytes(weight);
    const auto again = weight_from_bytes(image, {.isa = "reference"});
    ASSERT_TRUE(again.ok()) << again.status().message();
    EXPECT_EQ(again->notice(), "");
    EXPECT_EQ(weight_to_bytes(*again), image);
    EXPECT_EQ(product(*again), product(weight)) << weight.describe();
    EXPECT_EQ(linear::zero_share(*again), linear::zero_share(weight));
  }
}

TEST(WeightBytes, PartsAreAligned) {
  for (const Weight& weight : many_weights()) {
    const WeightHeader h = linear::read_header(weight_to_bytes(weight)).value();
    EXPECT_EQ(h.payload_offset % 64, 0u);
  }
}

TEST(WeightBytes, TheImageIsTheSameOnEveryMachine) {
  const std::vector<int8_t> w = {1, 0, -1, 1, 1, -1};
  const std::vector<uint8_t> image = weight_to_bytes(prepare(ternary(w, 2, 3)).value());
  ASSERT_EQ(image.size(), 128u + 64u);
  const auto text = [&](size_t at, size_t size) {
    return std::string(reinterpret_cast<const char*>(image.data()) + at, size);
  };
  EXPECT_EQ(text(0, 8), "RSRWGHT\n");
  EXPECT_EQ(text(16, 3), std::string("t2\0", 3));
  EXPECT_EQ(image[32], 2);
  EXPECT_EQ(image[40], 3);
  EXPECT_EQ(image[128], 0b01'01'01'10);  // column 0 is +1, the padding 1
  uint64_t checksum = 0;
  std::memcpy(&checksum, image.data() + 120, 8);
  EXPECT_EQ(checksum, 0x0017D819E7848D8Fu) << std::hex << checksum;
}

TEST(WeightBytes, EveryFlippedBitAndEveryMissingByteIsSeen) {
  for (const Weight& weight : many_weights()) {
    std::vector<uint8_t> image = weight_to_bytes(weight);
    for (size_t bit = 0; bit<image.size() * 8; bit += image.size()> 512 ? 3 : 1) {
      image[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
      ASSERT_FALSE(weight_from_bytes(image).ok()) << weight.describe() << " bit " << bit;
      image[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
    }
    for (size_t size = 0; size < image.size(); size += size < 300 ? 1 : 61) {
      ASSERT_FALSE(weight_from_bytes(std::span(image).first(size)).ok()) << size;
    }
    image.push_back(0);
    EXPECT_FALSE(weight_from_bytes(image).ok());
  }
}

/// The message for an image that was changed and given a right checksum.
std::string message_after(const Weight& weight,
                          const std::function<void(WeightHeader&, std::span<uint8_t>)>& change) {
  std::vector<uint8_t> image = weight_to_bytes(weight);
  WeightHeader h = linear::read_header(image).value();
  change(h, std::span(image).subspan(h.payload_offset));
  linear::write_header(h, image);
  return weight_from_bytes(image).status().message();
}

TEST(WeightBytes, NamesWhatIsWrongBehindARightChecksum) {
  const auto payload = [](Format format, size_t at, uint8_t value) {
    return message_after(packed_in(format, Inputs::any, 17, 41),
                         [&](WeightHeader&, std::span<uint8_t> p) { p[at] = value; });
  };
  EXPECT_EQ(payload(Format::t2, 64 + 4 * 2, 0b01'11'01'01),
            "weight: row 2, line 1: a code without a meaning in t2");
  for (int byte = 243; byte < 256; ++byte) {
    EXPECT_EQ(payload(Format::t5, 5, static_cast<uint8_t>(byte)),
              "weight: row 1, line 0: a code without a meaning in t5");
  }
  for (uint8_t code = 27; code < 32; ++code) {
    EXPECT_EQ(payload(Format::t3, 0, code),
              "weight: row 0, line 0: a code without a meaning in t3");
  }
  EXPECT_EQ(payload(Format::t3, 3, 0x80), "weight: row 0, line 0: a code without a meaning in t3");
  // Column 41 is padding: in t2 line 2, byte 1, the bits of column 9 of the line; row 17 is
  // padding.
  EXPECT_EQ(payload(Format::t2, 128 + 1, 0b01'00'01'01),
            "weight: row 0, padding column 41: not the padding code");
  EXPECT_EQ(payload(Format::t2, 3 * 64 + 4, 0),
            "weight: row 17, padding column 0: not the padding code");
  EXPECT_NE(payload(Format::t5, 2 * 64 + 3, 0).find("padding column"), std::string::npos);

  const auto header = [](const std::function<void(WeightHeader&)>& change) {
    return message_after(packed_in(Format::t2, Inputs::any, 17, 41),
                         [&](WeightHeader& h, std::span<uint8_t>) { change(h); });
  };
  EXPECT_EQ(header([](auto& h) { h.format = "t9"; }), "weight: unknown format \"t9\"");
  EXPECT_EQ(header([](auto& h) { h.format = "b1"; }), "weight: format b1 with alphabet 0");
  EXPECT_NE(header([](auto& h) { h.format = "groups"; }), "");
  EXPECT_EQ(header([](auto& h) { h.rows = 0; }), "weight: rows are 0");
  EXPECT_EQ(header([](auto& h) { h.rows = INT64_MAX; }), "weight: rows are 9223372036854775807");
  EXPECT_EQ(header([](auto& h) { h.cols = -1; }), "weight: the number of columns is -1");
  EXPECT_EQ(header([](auto& h) { h.rows = 170; }), "weight: 384 bytes of t2; 170 x 41 needs 2112");
  EXPECT_EQ(header([](auto& h) { h.zero_share = 2; }), "weight: the share of zeros is 2");
  EXPECT_EQ(header([](auto& h) { h.scale = std::numeric_limits<float>::infinity(); }),
            "weight: the scale is inf; it must be finite");
  EXPECT_EQ(header([](auto& h) { h.scale_count = 5; }), "weight: 5 scales; the shape needs 0");
  EXPECT_EQ(header([](auto& h) { h.payload_bytes = uint64_t{0} - 64; }).substr(0, 20),
            "weight: a payload of");
  EXPECT_EQ(header([](auto& h) { h.alphabet = static_cast<matrix::Alphabet>(7); }),
            "weight: unknown alphabet 7");
  const std::vector<uint8_t> image = weight_to_bytes(packed_in(Format::t2, Inputs::any, 1, 1));
  EXPECT_EQ(weight_from_bytes(image, {.isa = "abacus"}).status().message().substr(0, 3), "isa");
}

TEST(WeightBytes, RefusesScalesThatAreNotFinite) {
  const std::vector<float> row_scales = {1, 2, 3};
  const Weight weight =
      prepare(ternary(std::vector<int8_t>(12), 3, 4), {.row_scales = row_scales}).value();
  std::vector<uint8_t> image = weight_to_bytes(weight);
  const WeightHeader h = linear::read_header(image).value();
  const float nan = std::numeric_limits<float>::quiet_NaN();
  std::memcpy(image.data() + linear::kWeightHeaderBytes + 4, &nan, 4);
  linear::write_header(h, image);
  EXPECT_EQ(weight_from_bytes(image).status().message(),
            "weight: scale 1 is nan; scales must be finite");
}

TEST(WeightBytes, AFormatWithoutAKernelIsRepacked) {
  for (const base::Isa isa : base::kAllIsas) {
    if (!base::has_isa(isa)) continue;
    const char* name = base::isa_name(isa);
    for (const auto& [format, inputs] :
         {std::pair{Format::t5, Inputs::int8}, std::pair{Format::t3, Inputs::floats},
          std::pair{Format::t2, Inputs::any}}) {
      const Weight weight = packed_in(format, inputs, 50, 333);
      const auto again = weight_from_bytes(weight_to_bytes(weight), {.isa = name});
      ASSERT_TRUE(again.ok()) << again.status().message();
      const bool has_kernel = format == Format::t2 || isa == base::Isa::reference ||
                              base::isa_includes(isa, format == Format::t5 ? base::Isa::avx512vbmi
                                                                           : base::Isa::avx512bw);
      const std::string from = matrix::format_name(format);
      EXPECT_EQ(again->notice(), has_kernel ? ""
                                            : "repacked from " + from + " to t2: instruction set " +
                                                  name + " has no kernel for " + from);
      EXPECT_EQ(again->describe().substr(0, 2), has_kernel ? from : "t2");
      EXPECT_EQ(product(*again, name), product(weight)) << name << " " << from;
    }
  }
}

TEST(WeightBytes, RepackingWritesPaddingThatTheReaderAccepts) {
  for (int64_t cols = 1; cols < 170; ++cols) {
    for (const Format from : {Format::t5, Format::t2, Format::t3}) {
      const Weight weight = packed_in(from, Inputs::any, 18, cols);
      for (const Format to : {Format::t5, Format::t2, Format::t3}) {
        auto impl = std::make_shared<Weight::Impl>(weight.impl());
        impl->packed = std::get<matrix::Packed>(impl->packed).repacked(to);
        const auto again =
            weight_from_bytes(weight_to_bytes(Weight(std::move(impl))), {.isa = "reference"});
        ASSERT_TRUE(again.ok()) << again.status().message() << " " << cols;
      }
    }
  }
}

// Not asserted: the machine may be busy. The goal is 1e9 weights a second.
TEST(WeightBytes, PrintsTheSpeedOfRepacking) {
  constexpr int64_t kRows = 2048;
  constexpr int64_t kCols = 8192;
  const Weight weight = packed_in(Format::t2, Inputs::any, kRows, kCols);
  const auto& t2 = std::get<matrix::Packed>(weight.impl().packed);
  for (const auto& [from, to] :
       {std::pair{Format::t5, Format::t2}, std::pair{Format::t2, Format::t5},
        std::pair{Format::t3, Format::t2}}) {
    const matrix::Packed source = t2.repacked(from);
    double best = 1e9;
    for (int i = 0; i < 5; ++i) {
      const auto start = std::chrono::steady_clock::now();
      const matrix::Packed out = source.repacked(to);
      const std::chrono::duration<double> time = std::chrono::steady_clock::now() - start;
      best = std::min(best, time.count());
      ASSERT_EQ(out.nbytes(), t2.repacked(to).nbytes());
    }
    std::printf("%s -> %s: %.2f billion weights/s\n", matrix::format_name(from),
                matrix::format_name(to), static_cast<double>(kRows * kCols) / best / 1e9);
  }
}

}  // namespace
}  // namespace rsr
