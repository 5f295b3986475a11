// For tests: a matrix, vectors and scales in device memory, and what must become of them.
#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <vector>

#include "cuda/test_device.h"
#include "kernels/matvec/expect.h"

namespace rsr::cuda {

inline constexpr int32_t kUntouched = 1234567;

/// A problem on a device. Everything there is as long as it must be, so that reads and writes
/// beyond are seen.
class MultiplyProblem {
 public:
  /// `gap`: results between two vectors; `longer`: bytes of x behind those that columns need.
  MultiplyProblem(Stream& stream, const kernels::Problem& problem, int64_t gap, int64_t longer = 0)
      : problem_(problem),
        gap_(gap),
        lines_(stream, bytes_of(problem.packed)),
        stride_((used(problem) + 15) / 16 * 16 + longer),
        x_(stream, spread()),
        x_sums_(stream, sums()),
        sums_(stream, std::vector<int32_t>(results(), kUntouched)),
        y_(stream, std::vector<float>(results(), kUntouched)),
        row_scales_(stream, scales(problem.packed.rows(), 1.7f, -0.01f)),
        token_scales_(stream, scales(problem.batch(), 0.3f, 1.0f)),
        group_scales_(stream, problem.group_scales) {}

  /// What all matrices of a launch share.
  Multiply common(MultiplyWay way) const {
    Multiply p;
    p.format = problem_.packed.format();
    p.alphabet = problem_.packed.alphabet();
    p.x = x_.data();
    p.x_stride = stride_;
    p.batch = static_cast<int32_t>(problem_.batch());
    if (p.alphabet != matrix::Alphabet::binary) p.x_sums = x_sums_.data();
    p.way = way;
    return p;
  }
  void add_to(Multiply& p, bool floats, bool grouped = false) const {
    PackedMatrix& m = p.matrices[p.count++];
    m.lines = lines_.data();
    m.tile_lines = static_cast<int32_t>(problem_.packed.lines_per_tile());
    m.rows = static_cast<int32_t>(problem_.packed.rows());
    m.stride = m.rows + gap_;
    if (floats) m.y = y_.data();
    if (!floats) m.sums = sums_.data();
    if (!grouped) return;
    m.group_lines = static_cast<int32_t>(problem_.packed.layout().steps_per_segment());
    m.group_scales = group_scales_.data();
  }
  std::vector<float> read_y() const { return y_.read(); }
  float* y() const { return y_.data(); }
  const float* row_scales() const { return row_scales_.data(); }
  const float* token_scales() const { return token_scales_.data(); }

  void expect_exact() const {
    const std::vector<int32_t> sums = sums_.read();
    for_results([&](int64_t t, int64_t r, size_t at) {
      const int64_t expected = r < problem_.packed.rows() ? problem_.sum(t, r) : kUntouched;
      ASSERT_EQ(sums[at], expected) << "vector " << t << " row " << r;
    });
  }
  void expect_floats(bool grouped, bool with_scales) const {
    const std::vector<float> y = y_.read();
    for_results([&](int64_t t, int64_t r, size_t at) {
      float expected = kUntouched;
      if (r < problem_.packed.rows()) {
        const float sum = grouped ? grouped_sum(t, r) : static_cast<float>(problem_.sum(t, r));
        const float token = with_scales ? 0.3f + static_cast<float>(t) * 1.0f : 1.0f;
        expected = sum * token * (with_scales ? 1.7f + static_cast<float>(r) * -0.01f : 0.7f);
      }
      ASSERT_EQ(std::memcmp(&y[at], &expected, sizeof expected), 0)
          << "vector " << t << " row " << r << ": " << y[at] << " for " << expected;
    });
  }

 private:
  static std::vector<uint8_t> bytes_of(const matrix::Packed& packed) {
    return {packed.lines(), packed.lines() + packed.nbytes()};
  }
  static std::vector<float> scales(int64_t count, float first, float step) {
    std::vector<float> values;
    for (int64_t i = 0; i < count; ++i) values.push_back(first + static_cast<float>(i) * step);
    return values;
  }
  static int64_t used(const kernels::Problem& problem) {
    const matrix::ColumnLayout& layout = problem.packed.layout();
    return layout.contiguous() ? layout.cols() : layout.padded_cols();
  }
  std::vector<int8_t> spread() const {
    std::vector<int8_t> x(static_cast<size_t>(problem_.batch() * stride_));
    for (int64_t t = 0; t < problem_.batch(); ++t) {
      problem_.packed.layout().for_each_column([&](int64_t col, int64_t place) {
        x[static_cast<size_t>(t * stride_ + place)] =
            problem_.x[static_cast<size_t>(t * problem_.packed.cols() + col)];
      });
    }
    return x;
  }
  std::vector<int32_t> sums() const {
    std::vector<int32_t> sums(static_cast<size_t>(problem_.batch()));
    for (size_t i = 0; i < problem_.x.size(); ++i) {
      sums[i / static_cast<size_t>(problem_.packed.cols())] += problem_.x[i];
    }
    return sums;
  }
  size_t results() const {
    return static_cast<size_t>(problem_.batch() * (problem_.packed.rows() + gap_));
  }
  template <class Visit>
  void for_results(const Visit& visit) const {
    const int64_t stride = problem_.packed.rows() + gap_;
    for (int64_t t = 0; t < problem_.batch(); ++t) {
      for (int64_t r = 0; r < stride && !testing::Test::HasFatalFailure(); ++r) {
        visit(t, r, static_cast<size_t>(t * stride + r));
      }
    }
  }
  float grouped_sum(int64_t t, int64_t r) const {
    float total = 0;
    for (int64_t g = 0; g < problem_.groups(); ++g) {
      const int64_t tile = r / matrix::kTileRows;
      const auto at = static_cast<size_t>((tile * problem_.groups() + g) * matrix::kTileRows +
                                          r % matrix::kTileRows);
      const int64_t sum = problem_.groups() > 1 ? problem_.sum(t, r, g) : problem_.sum(t, r);
      total += static_cast<float>(sum) * problem_.group_scales[at];
    }
    return total;
  }

  const kernels::Problem& problem_;
  int64_t gap_;
  DeviceArray<uint8_t> lines_;
  int64_t stride_;
  DeviceArray<int8_t> x_;
  DeviceArray<int32_t> x_sums_;
  DeviceArray<int32_t> sums_;
  DeviceArray<float> y_;
  DeviceArray<float> row_scales_;
  DeviceArray<float> token_scales_;
  DeviceArray<float> group_scales_;
};

}  // namespace rsr::cuda
