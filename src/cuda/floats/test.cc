// Operation floats against its contract, bit by bit; and t2 against the CPU's kernel, too.
#include <cmath>
#include <limits>
#include <random>

#include "cuda/floats/problem_on_device.h"

namespace rsr::cuda {
namespace {

using FloatsTest = OnDevices;

/// All formats and their alphabets.
constexpr std::pair<Format, Alphabet> kKinds[] = {
    {Format::t2, Alphabet::ternary}, {Format::b1, Alphabet::binary}, {Format::b1, Alphabet::signs}};

TEST_P(FloatsTest, BitsOfTheContract) {
  for (const auto& [format, alphabet] : kKinds) {
    for (const int64_t rows : {1, 16, 37}) {
      for (const int64_t cols : {1, 15, 17, 33, 128, 129, 700}) {
        expect_right(stream, Case({format, alphabet, rows, cols}, 1));
      }
    }
  }
}

TEST_P(FloatsTest, BitsOfTheCpu) {
  for (const int64_t group : {0, 64, 50, 320}) {
    Case c({Format::t2, Alphabet::ternary, 37, 700, group}, 2);
    const bool grouped = group > 0;
    const int64_t padded = c.problem.packed.layout().padded_cols();
    std::vector<float> x(static_cast<size_t>(2 * padded));
    for (int64_t i = 0; i < 2 * padded; ++i) {
      x[static_cast<size_t>(i)] = c.x_at(i / padded, i % padded);
    }
    std::vector<float> row_scales;
    for (int r = 0; r < 37; ++r) row_scales.push_back(1.7f - static_cast<float>(r) * 0.01f);
    std::vector<float> y(2 * 37);
    kernels::MatvecF32 p;
    p.w = c.problem.matrix_params(grouped);
    p.x = x.data();
    p.x_stride = padded;
    p.batch = 2;
    p.out.rows = 37;
    p.out.y = y.data();
    p.out.stride = 37;
    p.out.row_scales = row_scales.data();
    kernels::matvec_t2_f32_reference(p, 0, c.problem.packed.tiles());
    expect_equal(FloatsRun(stream, c).y(FloatType::f32, grouped, &row_scales), y, c);
    expect_equal(expected(c, grouped, row_scales), y, c);
  }
}

TEST_P(FloatsTest, EveryBatch) {
  for (const auto& [format, alphabet] : kKinds) {
    for (const int batch : {2, 3, 4, 5, 8, 9, 18}) {
      expect_right(stream, Case({format, alphabet, 18, 300}, batch));
    }
  }
}

// More runs than lie side by side: 32 with one token, 8 with eight.
TEST_P(FloatsTest, LongRows) {
  for (const auto& [format, alphabet] : kKinds) {
    expect_right(stream, Case({format, alphabet, 3, 4500}, 1));
    expect_right(stream, Case({format, alphabet, 3, 2200}, 8));
  }
}

TEST_P(FloatsTest, BlocksOfSeveralTiles) {
  expect_right(stream, Case({Format::t2, Alphabet::ternary, 8465, 20}, 1));
}

TEST_P(FloatsTest, GroupScales) {
  for (const auto& [format, alphabet] : kKinds) {
    for (const int64_t group : {16, 30, 64, 128, 160, 256, 700}) {
      expect_right(stream, Case({format, alphabet, 20, 700, group}, 2), true);
    }
  }
}

TEST_P(FloatsTest, HalfFloats) {
  for (const FloatType type : {FloatType::f16, FloatType::bf16}) {
    for (const auto& [format, alphabet] : kKinds) {
      for (const int batch : {1, 3}) {
        Case c({format, alphabet, 17, 333}, batch);
        std::mt19937 random(7);
        for (float& v : c.x) {
          const auto bits =
              static_cast<uint16_t>(random() & (type == FloatType::f16 ? 0xFBFFU : 0xBFFFU));
          v = type == FloatType::f16 ? base::from_f16(bits) : base::from_bf16(bits);
        }
        expect_right(stream, c, false, type);
      }
    }
  }
}

// Sums that overflow when they are taken twice, the smallest floats, infinities, NaN.
TEST_P(FloatsTest, ExtremeInputs) {
  constexpr float kMost = std::numeric_limits<float>::max();
  constexpr float kLeast = std::numeric_limits<float>::denorm_min();
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const std::vector<std::vector<float>> palettes = {
      {0.0f, -0.0f},
      {kLeast, -3 * kLeast, 5 * kLeast},
      {kMost, -kMost, kMost / 3, kLeast},
      {kMost / 60, kMost / 77, -kMost / 90, 1.0f, kLeast},
      {1.0f, 0x1p-24f, 0x1p24f, -0x1p24f, 0x1p-149f},
      {kInfinity, 1.0f},
      {kInfinity, -kInfinity, kMost},
      {std::numeric_limits<float>::quiet_NaN(), 1.0f}};
  for (const auto& [format, alphabet] : kKinds) {
    for (const auto& palette : palettes) {
      for (const int64_t cols : {5, 200}) {
        Case c({format, alphabet, 16, cols}, 3);
        std::mt19937 random(11);
        for (float& v : c.x) v = palette[random() % palette.size()];
        expect_right(stream, c);
      }
    }
  }
}

TEST_P(FloatsTest, ValuesAllAlike) {
  for (const int value : {-1, 0, 1}) {
    expect_right(stream, Case({Format::t2, Alphabet::ternary, 16, 150, 0, 0, value}, 1));
  }
  expect_right(stream, Case({Format::b1, Alphabet::binary, 16, 150, 0, 0, 0}, 1));
  expect_right(stream, Case({Format::b1, Alphabet::binary, 16, 150, 0, 0, 1}, 1));
  expect_right(stream, Case({Format::b1, Alphabet::signs, 16, 150, 0, 0, -1}, 1));
}

TEST_P(FloatsTest, NothingToDoAndFormatsThatAreNotThere) {
  Floats p;
  p.batch = 0;
  EXPECT_TRUE(stream.run(&Operations::floats, p).ok());
  p.batch = 1;
  EXPECT_TRUE(stream.run(&Operations::floats, p).ok());  // no rows
  p.w.rows = 1;
  p.format = Format::t5;
  EXPECT_FALSE(stream.run(&Operations::floats, p).ok());
}

INSTANTIATE_TEST_SUITE_P(Devices, FloatsTest, testing::ValuesIn(test_devices()));

}  // namespace
}  // namespace rsr::cuda
