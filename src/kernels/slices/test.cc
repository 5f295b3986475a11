// Every kernel of the list against the reference, bit for bit.
#include <gtest/gtest.h>

#include "kernels/slices/problem.h"

namespace rsr::kernels {
namespace {

template <class X, class Sum, class List>
void expect_same(const List& list, const SlicesProblem& problem, const std::vector<X>& x) {
  const int64_t slices = problem.slices();
  const auto size = static_cast<size_t>(slices * kSliceLanes);
  base::AlignedArray<Sum> expected(size);
  list[0].function(problem.params<X, Sum>(x.data(), expected.data()), 0, slices);
  for (const auto& kernel : list) {
    if (!base::has_isa(kernel.isa)) continue;
    base::AlignedArray<Sum> got(size);
    std::fill_n(got.data(), size, Sum{77});
    const int64_t half = slices / 2;
    kernel.function(problem.params<X, Sum>(x.data(), got.data()), 0, half);
    kernel.function(problem.params<X, Sum>(x.data(), got.data() + half * kSliceLanes), half,
                    slices);
    for (size_t i = 0; i < size; ++i) ASSERT_EQ(got[i], expected[i]) << kernel.name;
  }
}

TEST(Slices, EveryKernelGivesTheBitsOfTheReference) {
  uint32_t seed = 0;
  for (const int64_t cols : {1, 2, 15, 300, 5000, 65'535}) {
    for (const auto& steps : std::vector<std::vector<int64_t>>{
             {1}, {0, 3}, {1, 2, 3, 4, 5}, {70, 69, 69, 30, 1}, {1000, 999, 17}}) {
      const SlicesProblem problem(steps, cols, ++seed);
      expect_same<int32_t, uint32_t>(kSlicesI32, problem, problem.x);
      // Sums of these depend on the order of additions.
      std::vector<float> floats(problem.x.begin(), problem.x.end());
      for (size_t c = 0; c < floats.size(); ++c) floats[c] *= c % 3 == 0 ? 1e-9f : 0.3f;
      expect_same<float, double>(kSlicesF32, problem, floats);
    }
  }
}

TEST(Slices, SumsWrap) {
  const SlicesProblem problem({70'000}, 3);
  expect_same<int32_t, uint32_t>(kSlicesI32, problem, {2'000'000'000, -128, 127, 0});
}

}  // namespace
}  // namespace rsr::kernels
