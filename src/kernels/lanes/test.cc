// Every kernel of the list against the reference, bit for bit: alphabets, k, shapes, tiles.
#include <gtest/gtest.h>

#include "kernels/lanes/problem.h"

namespace rsr::kernels {
namespace {

using segment::Alphabet;

/// All kernels of a list on all blocks and tiles, and on some of them. Inputs lie at the end of
/// their memory, so that the sanitizers see a read behind them.
template <class X, class Sum, class List>
void expect_same(const List& list, const LanesProblem& problem, const std::vector<X>& x) {
  auto p = problem.params<X, Sum>(x.data());
  const int64_t blocks = problem.groups.block_count();
  base::AlignedArray<Sum> expected(problem.sum_count());
  for (const int64_t tile_begin : {int64_t{0}, p.tiles / 2}) {
    p.tile_begin = tile_begin;
    p.sums = expected.data();
    list[0].function(p, 0, blocks);
    for (const auto& kernel : list) {
      if (!base::has_isa(kernel.isa)) continue;
      base::AlignedArray<Sum> got(problem.sum_count());
      std::fill_n(got.data(), got.size(), Sum{77});
      p.sums = got.data();
      kernel.function(p, 0, blocks / 3);
      p.sums += blocks / 3 * p.lines * kLanesPerLine;
      kernel.function(p, blocks / 3, blocks);
      for (size_t i = 0; i < got.size(); ++i) ASSERT_EQ(got[i], expected[i]) << kernel.name;
    }
  }
}

void expect_all_same(const LanesShape& shape, uint32_t seed) {
  const LanesProblem problem(shape, seed);
  expect_same<int8_t, uint32_t>(kLanesI8, problem, problem.x);
  // Sums of these depend on the order of additions.
  std::vector<float> floats(problem.x.size());
  for (size_t c = 0; c < floats.size(); ++c) {
    floats[c] = static_cast<float>(problem.x[c]) * (c % 3 == 0 ? 1e-9f : 0.3f);
  }
  expect_same<float, double>(kLanesF32, problem, floats);
}

TEST(Lanes, EveryKernelGivesTheBitsOfTheReference) {
  uint32_t seed = 1;
  for (const Alphabet alphabet : {Alphabet::binary, Alphabet::ternary}) {
    for (int k = 1; k <= segment::max_lane_k(alphabet); ++k) {
      for (const int64_t cols : {1, 17, 63, 64, 65, 200, 254, 255, 256, 257, 319, 700, 2100}) {
        expect_all_same({alphabet, k, 3 * k + 1, cols}, ++seed);
      }
    }
  }
}

TEST(Lanes, TilesOfEveryWidth) {
  uint32_t seed = 100;
  for (const Alphabet alphabet : {Alphabet::binary, Alphabet::ternary}) {
    for (const int64_t tile : {1, 30, 64, 128, 255, 256, 300}) {
      expect_all_same({alphabet, 4, 13, 777, tile}, ++seed);
    }
  }
}

TEST(Lanes, EveryShareOfZeros) {
  uint32_t seed = 200;
  for (const Alphabet alphabet : {Alphabet::binary, Alphabet::ternary}) {
    for (const int zeros : {0, 50, 80, 97, 100}) {
      expect_all_same({alphabet, segment::max_lane_k(alphabet), 20, 1500, 0, zeros}, ++seed);
    }
  }
}

TEST(Lanes, ExtremeInputs) {
  for (const Alphabet alphabet : {Alphabet::binary, Alphabet::ternary}) {
    const LanesProblem problem({alphabet, 3, 6, 70'000, 0, 0});
    for (const int value : {-128, 127}) {
      expect_same<int8_t, uint32_t>(kLanesI8, problem,
                                    std::vector<int8_t>(70'000, static_cast<int8_t>(value)));
    }
  }
}

}  // namespace
}  // namespace rsr::kernels
