// Operation floats against its contract, bit by bit; and t2 against the CPU's kernel, too.
#include <cmath>
#include <limits>
#include <random>

#include "base/float16.h"
#include "cuda/test_device.h"
#include "kernels/matvec/problem.h"

namespace rsr::cuda {
namespace {

using kernels::Problem;
using matrix::Alphabet;
using matrix::Format;
using FloatsTest = OnDevices;

/// A problem and its vectors, in padded places, as floats.
struct Case {
  Case(const kernels::Values& values, int batch)
      : problem(values, batch),
        format(values.format),
        alphabet(values.alphabet),
        cols(static_cast<int>(problem.packed.layout().padded_cols())) {
    if (problem.packed.layout().segments() == 1) cols = static_cast<int>(values.cols);
    x.resize(static_cast<size_t>(batch) * static_cast<size_t>(cols));
    spread();
  }

  void spread() {
    for (int64_t t = 0; t < problem.batch(); ++t) {
      problem.packed.layout().for_each_column([&](int64_t col, int64_t place) {
        x[static_cast<size_t>(t * cols + place)] =
            problem.xf[static_cast<size_t>(t * problem.packed.cols() + col)];
      });
    }
  }

  int64_t rows() const { return problem.packed.rows(); }
  float x_at(int64_t t, int64_t place) const {
    return place < cols ? x[static_cast<size_t>(t * cols + place)] : 0.0f;
  }

  Problem problem;
  Format format;
  Alphabet alphabet;
  int cols;
  std::vector<float> x;  // [batch][cols]
};

/// Sum of a unit of 16 columns of padded places.
float unit(const Case& c, const std::vector<int>& row, int64_t t, int64_t begin) {
  float field[4];
  for (int f = 0; f < 4; ++f) {
    field[f] = 0;
    for (int b = 0; b < 4; ++b) {
      const int64_t place = begin + 4 * f + b;
      if (c.alphabet == Alphabet::binary && row[static_cast<size_t>(place)] == 0) continue;
      field[f] += static_cast<float>(row[static_cast<size_t>(place)]) * c.x_at(t, place);
    }
  }
  return (field[0] + field[1]) + (field[2] + field[3]);
}

/// Values of a row in padded places; padding is what its codes say.
std::vector<int> padded_row(const Case& c, int64_t r) {
  const matrix::Packed& packed = c.problem.packed;
  std::vector<uint8_t> codes(static_cast<size_t>(packed.layout().padded_cols()));
  matrix::unpack_row(c.format, packed.lines() + r / 16 * packed.tile_stride(),
                     static_cast<int>(r % 16), codes);
  std::vector<int> values;
  for (const uint8_t code : codes) {
    values.push_back(c.alphabet == Alphabet::ternary ? code - 1
                     : c.alphabet == Alphabet::signs ? 2 * code - 1
                                                     : code);
  }
  return values;
}

/// The contract, word by word.
std::vector<float> expected(const Case& c, bool grouped, const std::vector<float>& row_scales) {
  const matrix::Packed& packed = c.problem.packed;
  const int64_t line_cols = matrix::line_cols(c.format);
  const int64_t padded = packed.layout().padded_cols();
  const int64_t group_cols = grouped ? packed.layout().steps_per_segment() * line_cols : padded;
  std::vector<float> y;
  for (int64_t t = 0; t < c.problem.batch(); ++t) {
    for (int64_t r = 0; r < c.rows(); ++r) {
      const std::vector<int> row = padded_row(c, r);
      double sum = 0;
      for (int64_t group = 0; group * group_cols < padded; ++group) {
        const double scale = grouped ? c.problem.group_scales[static_cast<size_t>(
                                           (r / 16 * c.problem.groups() + group) * 16 + r % 16)]
                                     : 1.0;
        const int64_t end = std::min(padded, (group + 1) * group_cols);
        for (int64_t begin = group * group_cols; begin < end; begin += 128) {
          float run = 0;
          for (int64_t at = begin; at < std::min(end, begin + 128); at += 16) {
            run += unit(c, row, t, at);
          }
          sum += static_cast<double>(run) * scale;
        }
      }
      y.push_back(static_cast<float>(sum) * row_scales[static_cast<size_t>(r)]);
    }
  }
  return y;
}

uint32_t bits_of(float x) {
  return std::isnan(x) ? 0x7FC00000U : std::bit_cast<uint32_t>(x);
}

class FloatsRun {
 public:
  FloatsRun(Stream& stream, const Case& c) : stream_(stream), c_(c) {}

  std::vector<float> y(FloatType type, bool grouped, const std::vector<float>* row_scales) {
    const matrix::Packed& packed = c_.problem.packed;
    const DeviceArray<uint8_t> lines(
        stream_, std::vector<uint8_t>(packed.lines(), packed.lines() + packed.nbytes()));
    const DeviceArray<float> group_scales(stream_, c_.problem.group_scales);
    const DeviceArray<float> scales(stream_, row_scales ? *row_scales : std::vector<float>(1));
    const DeviceArray<uint8_t> x(stream_, bytes(type));
    const DeviceArray<float> results(
        stream_, std::vector<float>(static_cast<size_t>(c_.problem.batch() * stride()), 12345.0f));
    Floats p;
    p.format = c_.format;
    p.alphabet = c_.alphabet;
    p.w.lines = lines.data();
    p.w.tile_lines = static_cast<int32_t>(packed.lines_per_tile());
    p.w.rows = static_cast<int32_t>(c_.rows());
    if (grouped) {
      p.w.group_lines = static_cast<int32_t>(packed.layout().steps_per_segment());
      p.w.group_scales = group_scales.data();
    }
    p.w.row_scales = row_scales ? scales.data() : nullptr;
    p.w.scale = 0.7f;
    p.w.y = results.data();
    p.w.stride = stride();
    p.x_type = type;
    p.x = x.data();
    p.x_stride = x_stride();
    p.cols = c_.cols;
    p.batch = static_cast<int32_t>(c_.problem.batch());
    const Status status = stream_.run(&Operations::floats, p);
    EXPECT_TRUE(status.ok()) << status.message();
    return without_margin(results.read());
  }

 private:
  int64_t stride() const { return c_.rows() + 3; }
  /// Every other time a multiple of four, so that x may be read four by four.
  int64_t x_stride() const { return c_.cols % 2 == 0 ? c_.cols / 4 * 4 + 8 : c_.cols + 5; }

  /// x in device memory, which ends with the last vector's last column.
  std::vector<uint8_t> bytes(FloatType type) const {
    const size_t size = type == FloatType::f32 ? 4 : 2;
    const int64_t count = (c_.problem.batch() - 1) * x_stride() + c_.cols;
    std::vector<uint8_t> out(static_cast<size_t>(count) * size, 0xFF);  // NaN between the vectors
    for (int64_t t = 0; t < c_.problem.batch(); ++t) {
      for (int64_t i = 0; i < c_.cols; ++i) {
        const float v = c_.x_at(t, i);
        const uint16_t half = type == FloatType::f16
                                  ? base::to_f16(v)
                                  : static_cast<uint16_t>(std::bit_cast<uint32_t>(v) >> 16);
        std::memcpy(out.data() + static_cast<size_t>(t * x_stride() + i) * size,
                    size == 4 ? static_cast<const void*>(&v) : &half, size);
      }
    }
    return out;
  }

  std::vector<float> without_margin(const std::vector<float>& y) const {
    std::vector<float> out;
    for (int64_t i = 0; i < c_.problem.batch() * stride(); ++i) {
      if (i % stride() < c_.rows()) {
        out.push_back(y[static_cast<size_t>(i)]);
      } else {
        EXPECT_EQ(y[static_cast<size_t>(i)], 12345.0f) << "written beside the results";
      }
    }
    return out;
  }

  Stream& stream_;
  const Case& c_;
};

void expect_equal(const std::vector<float>& y, const std::vector<float>& right, const Case& c) {
  ASSERT_EQ(y.size(), right.size());
  for (size_t i = 0; i < y.size(); ++i) {
    ASSERT_EQ(bits_of(y[i]), bits_of(right[i]))
        << format_name(c.format) << " " << c.rows() << " x " << c.problem.packed.cols() << " batch "
        << c.problem.batch() << " at " << i << ": " << y[i] << " for " << right[i];
  }
}

void expect_right(Stream& stream, const Case& c, bool grouped = false,
                  FloatType type = FloatType::f32) {
  const std::vector<float> one(static_cast<size_t>(c.rows()), 0.7f);
  expect_equal(FloatsRun(stream, c).y(type, grouped, nullptr), expected(c, grouped, one), c);
}

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
