// Every float kernel of the list: the bits of the reference, and the error that the contract
// allows.
#include <gtest/gtest.h>

#include "kernels/matvec/expect.h"
#include "kernels/matvec/float_inputs.h"

namespace rsr::kernels {
namespace {

using matrix::Format;

std::vector<float> run(const MatvecF32Kernel& kernel, const Problem& problem, bool grouped) {
  const FloatInputs inputs(problem);
  std::vector<float> y(static_cast<size_t>(problem.batch() * problem.packed.rows()), -1);
  const MatvecF32 p = inputs.params(problem, grouped, y.data());
  const int64_t tiles = problem.packed.tiles();
  kernel.function(p, 0, tiles / 2);
  kernel.function(p, tiles / 2, tiles);
  return y;
}

/// |error| <= 1e-6 * sum of |scale * w * x|, for every result.
void expect_near(const MatvecF32Kernel& kernel, const Problem& problem, bool grouped,
                 const std::vector<float>& y) {
  const int64_t rows = problem.packed.rows();
  const int64_t cols = problem.packed.cols();
  const int64_t group_size = std::max<int64_t>(problem.packed.layout().group_size(), 1);
  for (int64_t t = 0; t < problem.batch(); ++t) {
    for (int64_t r = 0; r < rows; ++r) {
      double sum = 0;
      double magnitude = 0;
      for (int64_t c = 0; c < cols; ++c) {
        const auto at =
            static_cast<size_t>((r / 16 * problem.groups() + c / group_size) * 16 + r % 16);
        const double scale = grouped ? problem.group_scales[at] : 1.0;
        const double term = scale * problem.w[static_cast<size_t>(r * cols + c)] *
                            problem.xf[static_cast<size_t>(t * cols + c)];
        sum += term;
        magnitude += std::fabs(term);
      }
      ASSERT_NEAR(y[static_cast<size_t>(t * rows + r)], sum, 1e-6 * magnitude)
          << kernel.name << " row " << r;
    }
  }
}

void expect_all(Format format, Problem& problem, bool grouped) {
  std::vector<float> reference;
  for (const auto& kernel : kMatvecF32) {
    if (kernel.format != format || !base::has_isa(kernel.isa)) continue;
    const std::vector<float> y = run(kernel, problem, grouped);
    if (kernel.isa == base::Isa::reference) reference = y;
    EXPECT_EQ(y, reference) << kernel.name << " " << problem.packed.rows() << " x "
                            << problem.packed.cols();
    expect_near(kernel, problem, grouped, y);
  }
}

TEST(MatvecF32, BitsOfTheReferenceWithinTheBound) {
  for (const Format format : {Format::t2, Format::t3, Format::b1}) {
    for (const auto alphabet : alphabets_of(format)) {
      for (const int64_t rows : {1, 16, 70, 150, 330}) {
        for (const int64_t cols : {1, 18, 19, 32, 33, 64, 200, 700}) {
          Problem problem({format, alphabet, rows, cols}, 2);
          expect_all(format, problem, false);
        }
      }
    }
  }
}

TEST(MatvecF32, GroupScales) {
  for (const Format format : {Format::t2, Format::b1}) {
    for (const int64_t group : {64, 128, 50, 30}) {
      Problem problem({format, alphabets_of(format).back(), 70, 500, group}, 2);
      expect_all(format, problem, true);
    }
    // Two sets of streams, groups of more lines than a set takes at a time.
    Problem wide({format, alphabets_of(format).back(), 300, 1500, 640}, 1);
    expect_all(format, wide, true);
  }
}

// Inputs that sum badly: all equal (each rounding errs the same way), and huge ones that meet
// zeros.
TEST(MatvecF32, AdversarialInputs) {
  for (const Format format : {Format::t2, Format::t3, Format::b1}) {
    Problem equal({format, alphabets_of(format).front(), 20, 20000, 0, 0, 1}, 1);
    std::fill(equal.xf.begin(), equal.xf.end(), 0.1f);
    expect_all(format, equal, false);
    Problem spread({format, alphabets_of(format).front(), 20, 20000, 0, 90}, 1);
    for (size_t i = 0; i < spread.xf.size(); ++i) {
      spread.xf[i] *= std::pow(10.0f, static_cast<float>(i % 13) - 6);
    }
    expect_all(format, spread, false);
  }
}

}  // namespace
}  // namespace rsr::kernels
