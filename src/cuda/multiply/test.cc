// The operation against the exact product, and its floats bit for bit: shapes, tails, batches,
// ways.
#include <gtest/gtest.h>

#include <list>

#include "cuda/test_device.h"
#include "kernels/matvec/expect.h"

namespace rsr::cuda {
namespace {

using kernels::alphabets_of;
using kernels::Problem;
using matrix::Alphabet;
using matrix::Format;

constexpr Format kFormats[] = {Format::t2, Format::t5, Format::b1};
constexpr MultiplyWay kWays[] = {MultiplyWay::rows16,       MultiplyWay::rows32,
                                 MultiplyWay::block64x64,   MultiplyWay::block128x64,
                                 MultiplyWay::block128x128, MultiplyWay::block256x128};
constexpr int32_t kUntouched = 1234567;

/// A problem on a device. Everything there is as long as it must be, so that reads and writes
/// beyond are seen.
class OnDevice {
 public:
  /// `gap`: results between two vectors; `longer`: bytes of x behind those that columns need.
  OnDevice(Stream& stream, const Problem& problem, int64_t gap, int64_t longer = 0)
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
    if (p.alphabet != Alphabet::binary) p.x_sums = x_sums_.data();
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
  static int64_t used(const Problem& problem) {
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

  const Problem& problem_;
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

class MultiplyTest : public OnDevices {
 protected:
  void expect_exact(const Problem& problem, MultiplyWay way = MultiplyWay::chosen, int64_t gap = 1,
                    int64_t longer = 0) {
    SCOPED_TRACE(testing::Message()
                 << matrix::format_name(problem.packed.format()) << " " << problem.packed.rows()
                 << " x " << problem.packed.cols() << ", " << problem.batch() << " vectors, way "
                 << static_cast<int>(way));
    const OnDevice there(stream, problem, gap, longer);
    Multiply p = there.common(way);
    there.add_to(p, false);
    run(&Operations::multiply, p);
    there.expect_exact();
  }
  void expect_floats(const Problem& problem, bool grouped, bool with_scales,
                     MultiplyWay way = MultiplyWay::chosen) {
    SCOPED_TRACE(testing::Message() << matrix::format_name(problem.packed.format()) << " way "
                                    << static_cast<int>(way) << ", groups " << problem.groups());
    const OnDevice there(stream, problem, 2);
    Multiply p = there.common(way);
    there.add_to(p, true, grouped);
    p.matrices[0].scale = 0.7f;
    if (with_scales) p.matrices[0].row_scales = there.row_scales();
    if (with_scales) p.token_scales = there.token_scales();
    run(&Operations::multiply, p);
    there.expect_floats(grouped, with_scales);
  }
};

TEST_P(MultiplyTest, Shapes) {
  constexpr int64_t kRows[] = {1, 15, 16, 17, 33, 50, 100};
  constexpr int64_t kBatches[] = {1, 2, 7, 8, 9, 16, 33};
  size_t number = 0;
  for (const Format format : kFormats) {
    for (const Alphabet alphabet : alphabets_of(format)) {
      for (const int64_t cols : {1, 7, 15, 16, 17, 20, 33, 63, 64, 127, 129, 257, 500, 700, 2100}) {
        const int64_t batch = kBatches[number % std::size(kBatches)];
        const Problem problem({format, alphabet, kRows[number % 5 + number % 3], cols}, batch);
        expect_exact(problem);
        number += 1;
      }
    }
  }
}

TEST_P(MultiplyTest, EveryTailOfT5) {
  for (int64_t cols = 1; cols <= 340; cols += 7) {
    const Problem problem({Format::t5, Alphabet::ternary, 18, cols}, 1 + cols % 4);
    expect_exact(problem);
    if (cols % 3 == 0) expect_exact(problem, MultiplyWay::block64x64);
  }
}

TEST_P(MultiplyTest, EveryWay) {
  for (const MultiplyWay way : kWays) {
    for (const Format format : kFormats) {
      const Problem problem({format, alphabets_of(format).back(), 35, 333}, 13);
      expect_exact(problem, way);
      expect_floats(problem, false, true, way);
    }
  }
}

TEST_P(MultiplyTest, MoreThanABlock) {
  const bool slow = GetParam().name == "emulated";
  for (const Format format : kFormats) {
    const Alphabet alphabet = alphabets_of(format).front();
    for (const MultiplyWay way : kWays) {
      const bool large = way > MultiplyWay::block64x64;
      if (slow && large && GetParam().order != emulated::Order::shuffled) continue;
      const Problem problem({format, alphabet, large ? 275 : 70, slow ? 300 : 3000}, 130);
      expect_exact(problem, way, 0);
    }
  }
}

TEST_P(MultiplyTest, Batches) {
  for (const Format format : kFormats) {
    for (const int64_t batch : {1, 5, 8, 9, 16, 17, 32, 33, 64, 65}) {
      const Problem problem({format, alphabets_of(format).back(), 20, 150}, batch);
      expect_exact(problem, MultiplyWay::rows16);
      expect_exact(problem, MultiplyWay::rows32);
      if (batch > 32) expect_exact(problem, MultiplyWay::block64x64);
    }
  }
}

TEST_P(MultiplyTest, LongVectorsBehindTheirColumns) {
  for (const Format format : kFormats) {
    for (const int64_t longer : {16, 48, 400}) {
      const Problem problem({format, alphabets_of(format).back(), 17, 90}, 9);
      expect_exact(problem, MultiplyWay::chosen, 0, longer);
      expect_exact(problem, MultiplyWay::block64x64, 0, longer);
    }
  }
}

TEST_P(MultiplyTest, Zeros) {
  for (const int zeros : {0, 50, 90, 100}) {
    for (const Format format : {Format::t2, Format::t5}) {
      const Problem problem({format, Alphabet::ternary, 40, 400, 0, zeros}, 3);
      expect_exact(problem);
    }
  }
}

TEST_P(MultiplyTest, Extremes) {
  for (const Format format : kFormats) {
    for (const Alphabet alphabet : alphabets_of(format)) {
      for (const int value : {-1, 0, 1}) {
        if (value < 0 && alphabet == Alphabet::binary) continue;
        if (value == 0 && alphabet == Alphabet::signs) continue;
        for (const int x : {-128, 127}) {
          const Problem problem({format, alphabet, 20, 2900, 0, 0, value}, 2, x);
          expect_exact(problem);
          expect_exact(problem, MultiplyWay::block64x64);
        }
      }
    }
  }
}

TEST_P(MultiplyTest, Scales) {
  for (const Format format : kFormats) {
    for (const Alphabet alphabet : alphabets_of(format)) {
      const Problem problem({format, alphabet, 40, 333}, 5);
      expect_floats(problem, false, true);
      expect_floats(problem, false, false);
    }
  }
}

TEST_P(MultiplyTest, Groups) {
  for (const Format format : {Format::t2, Format::b1}) {
    for (const Alphabet alphabet : alphabets_of(format)) {
      for (const int64_t group : {1, 16, 50, 64, 128, 200, 320, 1000}) {
        const Problem few({format, alphabet, 35, group < 16 ? 45 : 700, group}, 3);
        expect_floats(few, true, true);
        const Problem many({format, alphabet, 17, group < 16 ? 9 : 430, group}, 37);
        expect_floats(many, true, false);
      }
    }
  }
}

TEST_P(MultiplyTest, MatricesInOneLaunch) {
  for (const Format format : kFormats) {
    for (const int64_t batch : {1, 10}) {
      for (const MultiplyWay way : {MultiplyWay::chosen, MultiplyWay::block64x64}) {
        const Alphabet alphabet = alphabets_of(format).back();
        std::list<Problem> problems;
        std::list<OnDevice> there;
        for (const int64_t rows : {40, 7, 65}) {
          problems.emplace_back(kernels::Values{format, alphabet, rows, 170}, batch);
          problems.back().x = problems.front().x;
          there.emplace_back(stream, problems.back(), 1);
        }
        Multiply p = there.front().common(way);
        for (const OnDevice& matrix : there) matrix.add_to(p, false);
        run(&Operations::multiply, p);
        for (const OnDevice& matrix : there) matrix.expect_exact();
      }
    }
  }
}

TEST_P(MultiplyTest, MatricesWithAndWithoutGroups) {
  const Problem plain({Format::t2, Alphabet::ternary, 40, 256}, 3);
  Problem grouped({Format::t2, Alphabet::ternary, 24, 256, 64}, 3);
  grouped.x = plain.x;
  const OnDevice there(stream, plain, 1);
  const OnDevice grouped_there(stream, grouped, 1);
  Multiply p = there.common(MultiplyWay::chosen);
  grouped_there.add_to(p, true, true);
  there.add_to(p, false);
  p.matrices[0].scale = 0.7f;
  run(&Operations::multiply, p);
  there.expect_exact();
  grouped_there.expect_floats(true, false);
}

INSTANTIATE_TEST_SUITE_P(Devices, MultiplyTest, testing::ValuesIn(test_devices()));

}  // namespace
}  // namespace rsr::cuda
