#include "model/ternary_values.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

namespace rsr::model {
namespace {

/// A float matrix that can be looked at as a tensor.
struct Floats {
  int64_t rows;
  int64_t cols;
  std::vector<float> values = std::vector<float>(static_cast<size_t>(rows * cols));

  float& at(int64_t r, int64_t c) { return values[static_cast<size_t>(r * cols + c)]; }
  io::Tensor tensor() const {
    return {"t", io::DType::f32, {rows, cols}, std::as_bytes(std::span(values))};
  }
};

/// Random -s, 0, s, where the scale of each row and `width` columns is another.
Floats blocks(int64_t rows, int64_t cols, int64_t width) {
  Floats matrix = {rows, cols};
  std::mt19937 random(7);
  std::uniform_real_distribution<float> uniform(0.01f, 0.1f);
  for (int64_t r = 0; r < rows; ++r) {
    float scale = 0;
    for (int64_t c = 0; c < cols; ++c) {
      if (c % width == 0) scale = uniform(random);
      matrix.at(r, c) = scale * static_cast<float>(static_cast<int>(random() % 3) - 1);
    }
  }
  return matrix;
}

/// The matrix comes back from what was found, number by number.
void expect_exact(const Floats& matrix, const TernaryValues& found) {
  ASSERT_EQ(found.values.size(), matrix.values.size());
  ASSERT_EQ(found.scales.size() * static_cast<size_t>(found.width), matrix.values.size());
  for (size_t i = 0; i < matrix.values.size(); ++i) {
    const float scale = found.scales[i / static_cast<size_t>(found.width)];
    EXPECT_EQ(static_cast<float>(found.values[i]) * scale, matrix.values[i]) << i;
  }
}

TEST(TernaryValues, Widths) {
  using Widths = std::vector<int64_t>;
  EXPECT_EQ(block_widths(1), Widths({1}));
  EXPECT_EQ(block_widths(24), Widths({24}));
  EXPECT_EQ(block_widths(256), Widths({256, 128, 64}));
  EXPECT_EQ(block_widths(768), Widths({768, 384, 256, 192, 128, 96}));
  EXPECT_EQ(block_widths(1280), Widths({1280, 640, 320, 256, 160, 128, 80}));
}

TEST(TernaryValues, OneScalePerRow) {
  const Floats matrix = blocks(5, 24, 24);
  const auto found = find_ternary(matrix.tensor());
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->width, 24);
  expect_exact(matrix, *found);
}

TEST(TernaryValues, WidestBlocksOfColumns) {
  for (const int64_t width : {384, 256, 192, 128, 96}) {
    const Floats matrix = blocks(6, 768, width);
    const auto found = find_ternary(matrix.tensor());
    ASSERT_TRUE(found.has_value()) << width;
    EXPECT_EQ(found->width, width);
    expect_exact(matrix, *found);
  }
}

TEST(TernaryValues, ALateContradictionLeavesWidthByWidth) {
  Floats matrix = blocks(6, 256, 256);
  for (int64_t c = 128; c < 256; ++c) matrix.at(5, c) *= 2;  // only the last row has two scales
  ASSERT_TRUE(find_ternary(matrix.tensor()).has_value());
  EXPECT_EQ(find_ternary(matrix.tensor())->width, 128);
  expect_exact(matrix, *find_ternary(matrix.tensor()));
  matrix.at(5, 255) = std::nextafter(matrix.at(5, 200), 1.0f) * 3;
  EXPECT_FALSE(find_ternary(matrix.tensor()).has_value());
}

TEST(TernaryValues, OneBitOffIsDense) {
  Floats matrix = blocks(4, 24, 24);
  float& value = matrix.at(3, 23);
  value = std::nextafter(0.5f, 1.0f);
  matrix.at(3, 22) = 0.5f;
  EXPECT_FALSE(find_ternary(matrix.tensor()).has_value());
}

TEST(TernaryValues, RowsOfZerosHaveTheScaleZero) {
  Floats matrix = blocks(4, 256, 128);
  for (int64_t c = 0; c < 256; ++c) matrix.at(1, c) = c % 2 == 0 ? 0.0f : -0.0f;
  const auto found = find_ternary(matrix.tensor());
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->scales[2], 0.0f);
  EXPECT_EQ(found->scales[3], 0.0f);
  expect_exact(matrix, *found);
  EXPECT_EQ(find_ternary(Floats{3, 24}.tensor())->scales, std::vector<float>(3));
}

TEST(TernaryValues, NumbersThatAreNotFiniteAreNoScale) {
  for (const float bad : {std::numeric_limits<float>::infinity(), std::nanf("")}) {
    Floats matrix = {2, 24};
    matrix.at(1, 3) = bad;
    EXPECT_FALSE(find_ternary(matrix.tensor()).has_value());
  }
}

}  // namespace
}  // namespace rsr::model
