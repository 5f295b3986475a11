// Weights that read their bytes where they lie.
#include <gtest/gtest.h>

#include <cstring>
#include <limits>

#include "base/aligned.h"
#include "linear/linear.h"
#include "linear/weight.h"
#include "linear/weight_header.h"

namespace rsr {
namespace {

using Bytes = base::AlignedArray<uint8_t>;

std::vector<int8_t> ternary_values(int64_t count) {
  std::vector<int8_t> values(static_cast<size_t>(count));
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<int8_t>(i * i % 7 % 3) - 1;
  return values;
}

std::shared_ptr<Bytes> aligned_image(const Weight& weight) {
  const std::vector<uint8_t> image = weight_to_bytes(weight);
  auto bytes = std::make_shared<Bytes>(image.size());
  std::memcpy(bytes->data(), image.data(), image.size());
  return bytes;
}

constexpr int64_t kRows = 37;
constexpr int64_t kCols = 200;

/// One weight of each kind of scales, then one of column groups.
std::vector<Weight> kinds() {
  const std::vector<int8_t> w = ternary_values(kRows * kCols);
  const std::vector<float> rows(kRows, 0.5f);
  const std::vector<float> groups(kRows * 4, 0.25f);
  std::vector<Weight> all;
  for (const PrepareOptions& options :
       {PrepareOptions{.scale = 3}, PrepareOptions{.row_scales = rows},
        PrepareOptions{.group_scales = groups, .group_size = 64},
        PrepareOptions{.algorithm = Algorithm::rsr}}) {
    all.push_back(prepare(ternary(w, kRows, kCols), options).value());
  }
  return all;
}

std::vector<float> product(const Weight& weight) {
  const Context context = Context::create({.threads = 1}).value();
  std::vector<float> x(kCols);
  for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i % 11) - 5;
  std::vector<float> y(kRows);
  EXPECT_TRUE(multiply(context, weight, x, y).ok());
  return y;
}

bool lies_in(const Bytes& bytes, const void* pointer) {
  const auto* at = static_cast<const uint8_t*>(pointer);
  return at >= bytes.data() && at < bytes.data() + bytes.size();
}

TEST(WeightView, ReadsLinesAndScalesInPlaceAndKeepsTheBytesAlive) {
  for (const Weight& weight : kinds()) {
    for (const bool check : {true, false}) {
      std::shared_ptr<Bytes> bytes = aligned_image(weight);
      const std::weak_ptr<Bytes> watched = bytes;
      auto view = std::make_unique<Weight>(
          weight_from_bytes(bytes->span(), {.keeper = bytes, .check_contents = check}).value());
      const auto* packed = std::get_if<matrix::Packed>(&view->impl().packed);
      EXPECT_EQ(packed == nullptr, watched.use_count() == 1);  // column groups are copied
      if (packed != nullptr) {
        EXPECT_TRUE(lies_in(*bytes, packed->lines()));
        const linear::Scales& scales = view->impl().scales;
        EXPECT_TRUE(scales.of_rows() == nullptr || lies_in(*bytes, scales.of_rows()));
        EXPECT_TRUE(!scales.grouped() || lies_in(*bytes, scales.of_groups()));
        const Weight copy = linear::deep_copy(*view);
        EXPECT_FALSE(lies_in(*bytes, std::get<matrix::Packed>(copy.impl().packed).lines()));
        EXPECT_EQ(weight_to_bytes(copy), weight_to_bytes(weight));
      }
      bytes.reset();
      EXPECT_EQ(product(*view), product(weight));
      EXPECT_EQ(view->nbytes(), weight.nbytes());
      view.reset();
      EXPECT_TRUE(watched.expired());
    }
  }
}

TEST(WeightView, BytesAtAnOddPlaceAreCopied) {
  const Weight weight = kinds().front();
  const std::vector<uint8_t> image = weight_to_bytes(weight);
  const auto bytes = std::make_shared<Bytes>(image.size() + 8);
  std::memcpy(bytes->data() + 8, image.data(), image.size());
  const auto view = weight_from_bytes(bytes->span().subspan(8), {.keeper = bytes}).value();
  EXPECT_EQ(bytes.use_count(), 1);
  EXPECT_EQ(product(view), product(weight));
}

/// A changed code, scale or zero: found when contents are checked, harmless when they are not.
TEST(WeightView, DamageBehindTheHeaderIsFoundOnlyWhereItIsLookedFor) {
  for (const Weight& weight : kinds()) {
    const bool groups = std::holds_alternative<linear::RsrWeight>(weight.impl().packed);
    const size_t size = weight_to_bytes(weight).size();
    for (size_t at = linear::kWeightHeaderBytes; at < size; at += 31) {
      const auto bytes = aligned_image(weight);
      (*bytes)[at] ^= 0xff;
      const LoadOptions checked = {.keeper = bytes};
      const LoadOptions unchecked = {.keeper = bytes, .check_contents = false};
      EXPECT_EQ(weight_from_bytes(bytes->span(), checked).status().code(), ErrorCode::corrupt_data);
      const auto view = weight_from_bytes(bytes->span(), unchecked);
      EXPECT_EQ(view.ok(), !groups) << at;
      if (view.ok()) product(*view);
    }
  }
}

TEST(WeightView, RepackingChecksCodesThatNobodyHasLookedAt) {
  if (!base::has_isa(base::Isa::avx2)) GTEST_SKIP() << "this machine repacks nothing";
  const std::vector<int8_t> w = ternary_values(kRows * kCols);
  const Weight weight =
      prepare(ternary(w, kRows, kCols), {.inputs = Inputs::int8, .isa = "reference"}).value();
  auto impl = std::make_shared<Weight::Impl>(weight.impl());
  impl->packed = std::get<matrix::Packed>(impl->packed).repacked(matrix::Format::t5);
  const auto bytes = aligned_image(Weight(std::move(impl)));
  const LoadOptions options = {.isa = "avx2", .keeper = bytes, .check_contents = false};
  const auto good = weight_from_bytes(bytes->span(), options).value();
  EXPECT_EQ(good.notice(), "repacked from t5 to t2: instruction set avx2 has no kernel for t5");
  EXPECT_EQ(bytes.use_count(), 2);  // the options' and this one: repacked lines are its own
  (*bytes)[200] = 0xff;
  EXPECT_EQ(weight_from_bytes(bytes->span(), options).status().message(),
            "weight: row 2, line 1: a code without a meaning in t5");
}

}  // namespace
}  // namespace rsr
