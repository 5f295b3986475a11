// For tests: operation floats on a device, and its contract in plain loops.
#pragma once

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <vector>

#include "base/float16.h"
#include "cuda/test_device.h"
#include "kernels/matvec/problem.h"

namespace rsr::cuda {

using kernels::Problem;
using matrix::Alphabet;
using matrix::Format;

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
inline float unit(const Case& c, const std::vector<int>& row, int64_t t, int64_t begin) {
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
inline std::vector<int> padded_row(const Case& c, int64_t r) {
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
inline std::vector<float> expected(const Case& c, bool grouped,
                                   const std::vector<float>& row_scales) {
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

inline uint32_t bits_of(float x) {
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

inline void expect_equal(const std::vector<float>& y, const std::vector<float>& right,
                         const Case& c) {
  ASSERT_EQ(y.size(), right.size());
  for (size_t i = 0; i < y.size(); ++i) {
    ASSERT_EQ(bits_of(y[i]), bits_of(right[i]))
        << format_name(c.format) << " " << c.rows() << " x " << c.problem.packed.cols() << " batch "
        << c.problem.batch() << " at " << i << ": " << y[i] << " for " << right[i];
  }
}

inline void expect_right(Stream& stream, const Case& c, bool grouped = false,
                         FloatType type = FloatType::f32) {
  const std::vector<float> one(static_cast<size_t>(c.rows()), 0.7f);
  expect_equal(FloatsRun(stream, c).y(type, grouped, nullptr), expected(c, grouped, one), c);
}

}  // namespace rsr::cuda
