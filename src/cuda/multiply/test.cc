// The operation against the exact product, and its floats bit for bit: shapes, tails, batches,
// ways.
#include <gtest/gtest.h>

#include <list>

#include "cuda/multiply/problem_on_device.h"

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

class MultiplyTest : public OnDevices {
 protected:
  void expect_exact(const Problem& problem, MultiplyWay way = MultiplyWay::chosen, int64_t gap = 1,
                    int64_t longer = 0) {
    SCOPED_TRACE(testing::Message()
                 << matrix::format_name(problem.packed.format()) << " " << problem.packed.rows()
                 << " x " << problem.packed.cols() << ", " << problem.batch() << " vectors, way "
                 << static_cast<int>(way));
    const MultiplyProblem there(stream, problem, gap, longer);
    Multiply p = there.common(way);
    there.add_to(p, false);
    run(&Operations::multiply, p);
    there.expect_exact();
  }
  void expect_floats(const Problem& problem, bool grouped, bool with_scales,
                     MultiplyWay way = MultiplyWay::chosen) {
    SCOPED_TRACE(testing::Message() << matrix::format_name(problem.packed.format()) << " way "
                                    << static_cast<int>(way) << ", groups " << problem.groups());
    const MultiplyProblem there(stream, problem, 2);
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
        std::list<MultiplyProblem> there;
        for (const int64_t rows : {40, 7, 65}) {
          problems.emplace_back(kernels::Values{format, alphabet, rows, 170}, batch);
          problems.back().x = problems.front().x;
          there.emplace_back(stream, problems.back(), 1);
        }
        Multiply p = there.front().common(way);
        for (const MultiplyProblem& matrix : there) matrix.add_to(p, false);
        run(&Operations::multiply, p);
        for (const MultiplyProblem& matrix : there) matrix.expect_exact();
      }
    }
  }
}

TEST_P(MultiplyTest, MatricesWithAndWithoutGroups) {
  const Problem plain({Format::t2, Alphabet::ternary, 40, 256}, 3);
  Problem grouped({Format::t2, Alphabet::ternary, 24, 256, 64}, 3);
  grouped.x = plain.x;
  const MultiplyProblem there(stream, plain, 1);
  const MultiplyProblem grouped_there(stream, grouped, 1);
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
